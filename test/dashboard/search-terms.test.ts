import t from 'tap';
import { filtersIn } from '../../dashboard/requests/search-terms.js';

t.test('a search is understood term by term', async (t) => {
  const id = '019b8a2e-7c4d-7e1a-9f3b-2d6c8e5a1f07';
  for (const [search, filters] of Object.entries({
    '': {},
    '  ': {},
    '500': { statusCode: '500' },
    '5XX': { statusCode: '5xx' },
    '>=400': { statusCode: '>=400' },
    '>400': { statusCode: '>=401' },
    '<500': { statusCode: '<=499' },
    'post /v1/orders/': { method: 'POST', pathPrefix: '/v1/orders/' },
    '/v1/*': { pathPrefix: '/v1/' },
    '/v1/orders/:id': { route: '/v1/orders/:id' },
    'path:/v1/me': { path: '/v1/me' },
    '>1.5s <5s': { minDuration: '1500', maxDuration: '5000' },
    'min:20': { minDuration: '20' },
    'key:none orders': { hasKey: 'false', pathPart: 'orders' },
    [`key:${id}`]: { apiKeyId: id },
    [id]: { request: id },
    '0af7651916cd43dd8448eb211c80319c': { traceId: '0af7651916cd43dd8448eb211c80319c' },
    '203.0.113.7': { ip: '203.0.113.7' },
    '2001:db8::1': { ip: '2001:db8::1' },
    'owner:customer-1 agent:"Mozilla 5"': { ownerId: 'customer-1', userAgent: 'Mozilla 5' },
  }))
    t.strictSame(filtersIn(search), filters, search);
});

t.test('a term that is not understood is named, with what it must be', async (t) => {
  for (const [search, message] of [
    ['42', '“42” is not a status. A duration is written as >42ms.'],
    ['status:600', '“600” is not a status such as 500, 5xx or >=400.'],
    ['path:me', '“me” is not a path such as /v1/me.'],
    ['ab', '“ab” is not a part of a path, of 3 characters or more.'],
    ['key:bootstrap', '“bootstrap” is not the id of a key.'],
    ['min:soon', '“soon” is not a duration such as 500 ms.'],
  ] as const)
    t.throws(() => filtersIn(search), { message }, search);
});
