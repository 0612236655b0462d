/** How the place says “where no route matched”; a template begins with a slash. */
const unmatched = '-';

/** A route as a reader is told of it. */
export const routeTitle = (route: string) => route || 'no route matched';

/** As the place has it, where nothing is what is not chosen. */
export const chosenRoute = (route: string) => route || unmatched;

/** As the API has it. */
export const routeOf = (chosen: string | undefined) => (chosen === unmatched ? '' : chosen);
