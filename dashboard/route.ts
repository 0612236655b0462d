/** The URL parameter for “no route matched”. Templates begin with a slash, so none is equal to it. */
const unmatched = '-';

/** The title of a route. */
export const routeTitle = (route: string) => route || 'no route matched';

/** Converts a route of the API to the URL parameter, which cannot be empty. */
export const routeParam = (route: string) => route || unmatched;

/** Converts the URL parameter to the route of the API. */
export const routeOf = (param: string | undefined) => (param === unmatched ? '' : param);
