import { BlockList, isIP, isIPv4 } from 'node:net';
import { canonicalAddress } from '../client-address.js';

/** The largest number of addresses and networks of a key. */
export const maxAllowedIps = 50;

/**
 * Returns an address or a network in canonical form: without host bits, IPv4-mapped as IPv4, IPv6 as in RFC 5952.
 *
 * @param text such as `203.0.113.7`, `10.1.2.3/8` or `2001:DB8::/32`
 * @returns such as `203.0.113.7`, `10.0.0.0/8` or `2001:db8::/32`; undefined if the text is neither
 */
export function canonicalNetwork(text: string): string | undefined {
  const [host = '', prefix, ...more] = text.trim().split('/');
  // Without isIP, ports, brackets and zones would be removed in place of an error.
  const address = isIP(host) !== 0 && !host.includes('%') ? canonicalAddress(host) : undefined;
  if (address === undefined || more.length > 0) return undefined;
  const bits = isIPv4(address) ? 32 : 128;
  if (prefix === undefined) return address;
  // The prefix of an IPv4-mapped network counts the bits of its IPv6 form.
  const length = Number(prefix) - (bits === 32 && host.includes(':') ? 96 : 0);
  if (!/^\d{1,3}$/.test(prefix) || !(length >= 0 && length <= bits)) return undefined;
  return length === bits ? address : `${networkOf(address, length)}/${length}`;
}

/** Sets the bits after `length` to 0. */
function networkOf(address: string, length: number): string {
  if (isIPv4(address)) {
    const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const masked = length === 0 ? 0 : Math.floor(value / 2 ** (32 - length)) * 2 ** (32 - length);
    return [24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256).join('.');
  }
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = (tail ?? '').split(':').filter(Boolean);
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  const words = [...left, ...zeros, ...right].map((word, i) => {
    const kept = Math.min(16, Math.max(0, length - 16 * i));
    return (Number.parseInt(word, 16) & (0xffff << (16 - kept)) & 0xffff).toString(16);
  });
  return canonicalAddress(words.join(':')) ?? address;
}

/** Addresses and networks. */
export class AddressList {
  // One for each family: Node.js maps IPv4 to IPv6, so that a network such as ::/64 would include all IPv4 addresses.
  private readonly lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** @param networks in canonical form; others are ignored, so that a value set by SQL allows nothing by mistake */
  constructor(networks: readonly string[]) {
    for (const network of networks.map(canonicalNetwork)) {
      if (network === undefined) continue;
      const [address = '', prefix] = network.split('/');
      const family = familyOf(address);
      if (prefix === undefined) this.lists[family].addAddress(address, family);
      else this.lists[family].addSubnet(address, Number(prefix), family);
    }
  }

  /** @param ip in canonical form; anything else is not included */
  includes(ip: string): boolean {
    const family = familyOf(ip);
    return this.lists[family].check(ip, family);
  }
}

function familyOf(address: string) {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}
