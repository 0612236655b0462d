/** The metrics and labels that an expression uses. */
export interface ParsedExpression {
  selectors: Selector[];
  /** Labels by which it groups or joins. */
  grouping: string[];
}

export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

/** A metric's labels, each with the values that it has. */
export type Labels = Map<string, Set<string>>;

const grouping = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const selector = /([a-zA-Z_:][\w:]*)\s*\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}/g;
const matcher = /(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g;
/** Text that is not a metric. Without it and the selectors, only functions and metrics without matchers remain. */
const nonMetrics = /\[[^\]]*\]|"(?:[^"\\]|\\.)*"|\b(?:and|or|unless|offset|bool|by)\b/g;

/** Extracts the metrics and labels from PromQL. It does not check the syntax: promtool does. */
export function parsePromql(expression: string): ParsedExpression {
  const selectors: Selector[] = [];
  const labels: string[] = [];
  const rest = expression
    .replace(grouping, (_, list: string) => {
      labels.push(...list.split(',').map((label) => label.trim()));
      return ' ';
    })
    .replace(selector, (_, metric: string, list: string) => {
      const matchers = [...list.matchAll(matcher)].map(([, label = '', operator = '', value = '']) => ({
        label,
        operator,
        value,
      }));
      selectors.push({ metric, matchers });
      return ' ';
    })
    .replace(nonMetrics, ' ');
  for (const [metric] of rest.matchAll(/\b[a-zA-Z_:][\w:]*\b(?!\s*\()/g)) selectors.push({ metric, matchers: [] });
  return { selectors, grouping: labels };
}

/** @param scrape the response body of `/metrics` */
export function labelsByMetric(scrape: string): Map<string, Labels> {
  const metrics = new Map<string, Labels>();
  for (const [, metric = '', list = ''] of scrape.matchAll(/^([a-z]\w*)(?:\{(.*)\})? /gm)) {
    const labels: Labels = metrics.get(metric) ?? new Map();
    metrics.set(metric, labels);
    for (const [, label = '', value = ''] of list.matchAll(/(\w+)="([^"]*)"/g))
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
  }
  return metrics;
}
