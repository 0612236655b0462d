import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { startApp } from '../app.js';
import { createTestDatabase, skipFileOnEmbedded } from '../database.js';
import { isInstalled } from '../installed.js';
import { root } from '../root.js';
import { type Labels, labelsByMetric, parsePromql } from './promql.js';

skipFileOnEmbedded();

interface Rule {
  alert: string;
  expr: string;
  annotations: { summary: string; description: string };
}
interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
}
interface Panel {
  id: number;
  type: string;
  title: string;
  datasource: unknown;
  fieldConfig: { defaults: { unit: string } };
  targets: { datasource: unknown; expr: string; legendFormat: string }[];
}

const directory = join(root, 'deploy/monitoring');
const file = (name: string) => readFileSync(join(directory, name), 'utf8');
const rules: Rule[] = parse(file('alerts.yml')).groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const dashboard = JSON.parse(file('grafana-dashboard.json'));
const panels: Panel[] = dashboard.panels.filter(({ type }: Panel) => type !== 'row');
const targets = panels.flatMap(({ title, targets }) => targets.map((target) => ({ title, ...target })));
const variables: { name: string; definition?: string; datasource?: unknown }[] = dashboard.templating.list;

/** Labels that Prometheus adds itself. */
const prometheusLabels = ['job', 'instance'];

const promtool = {
  skip: !isInstalled('promtool', ['--version']) && !process.env.CI && 'needs promtool: apt-get install prometheus',
};

t.test('promtool accepts the rules, and the unit tests of the rules pass', promtool, async (t) => {
  t.match(execFileSync('promtool', ['check', 'rules', 'alerts.yml'], { cwd: directory, encoding: 'utf8' }), 'SUCCESS');
  t.match(
    execFileSync('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd: directory, encoding: 'utf8' }),
    'SUCCESS',
  );
});

t.test('every rule has a test case in which it fires and one in which it does not', async (t) => {
  const cases = (parse(file('alerts.test.yml')) as RuleTests).tests.flatMap((group) => group.alert_rule_test);
  for (const { alert } of rules) {
    const counts = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts = [] }) => exp_alerts.length);
    t.ok(counts.includes(0) && counts.some((count) => count > 0), alert);
  }
});

t.test('the description of every alert ends with a reference to an existing section', async (t) => {
  for (const { alert, annotations } of rules) {
    const [, page = '', anchor] = /See (docs\/[\w-]+\.md)#([\w-]+)$/.exec(annotations.description) ?? [];
    const headings = readFileSync(join(root, page), 'utf8').match(/^#+ .+$/gm) ?? [];
    const anchors = headings.map((heading) => heading.replace(/^#+ /, '').toLowerCase().replaceAll(' ', '-'));
    t.ok(anchors.includes(anchor as string), `${alert}: ${page}#${anchor}`);
  }
});

t.test('docs/monitoring.md mentions every alert', async (t) => {
  const page = readFileSync(join(root, 'docs/monitoring.md'), 'utf8');
  for (const { alert } of rules) t.match(page, `\`${alert}\``);
});

t.test('rules and dashboard use only metrics and labels that the service exports', async (t) => {
  const app = await startApp(await createTestDatabase());
  await app.inject('/v1/request-logs/export');
  const metrics = labelsByMetric((await app.inject('/metrics')).body);
  metrics.set('up', new Map());
  for (const { alert, expr } of rules) checkExpression(t, alert, expr, metrics);
  for (const { title, expr, legendFormat } of targets) {
    const known = checkExpression(t, title, expr, metrics);
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) t.ok(known.has(label), `${title}: ${label}`);
  }
  for (const { name, definition } of variables) {
    const [, metric, label] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? '') ?? [];
    if (metric) t.ok(checkExpression(t, name, metric, metrics).has(label as string), `${name}: ${label}`);
  }
});

t.test('rules and panels select only the metrics of this service', async (t) => {
  const isOfJob = (job: string) => (expression: string) =>
    parsePromql(expression).selectors.every(({ matchers }) =>
      matchers.some(({ label, operator, value }) => label === 'job' && operator === '=' && value === job),
    );
  t.strictSame(
    rules.filter(({ expr }) => !isOfJob('musicez')(expr)),
    [],
  );
  t.strictSame(
    targets.filter(({ expr }) => !isOfJob('$job')(expr) || !expr.includes('instance=~"$instance"')),
    [],
  );
});

t.test('promtool accepts the expressions of the panels', promtool, async (t) => {
  const asRules = targets.map(({ expr }) => ({
    record: 'panel',
    expr: expr.replaceAll(/\$__(rate_interval|range)/g, '5m'),
  }));
  const given = t.testdir({ 'panels.yml': JSON.stringify({ groups: [{ name: 'panels', rules: asRules }] }) });
  const output = execFileSync('promtool', ['check', 'rules', '--lint=none', join(given, 'panels.yml')], {
    encoding: 'utf8',
  });
  t.match(output, `${targets.length} rules found`);
});

t.test('every panel has a unique id, a title, a unit and the selected data source', async (t) => {
  const ids = dashboard.panels.map(({ id }: Panel) => id);
  t.equal(new Set(ids).size, ids.length);
  const chosen = { type: 'prometheus', uid: `\${datasource}` };
  t.match(variables[0], { name: 'datasource', type: 'datasource', query: 'prometheus' });
  for (const variable of variables.slice(1)) t.strictSame(variable.datasource, chosen, variable.name);
  for (const { title, datasource, fieldConfig, targets } of panels) {
    t.match(title, /\w/);
    t.match(fieldConfig.defaults.unit, /\w/, title);
    t.strictSame(
      [datasource, ...targets.map((target) => target.datasource)],
      [chosen, ...targets.map(() => chosen)],
      title,
    );
  }
});

/** @returns the labels that the result can have */
function checkExpression(t: Test, name: string, expression: string, metrics: Map<string, Labels>): Set<string> {
  const known = new Set(prometheusLabels);
  const { selectors, grouping } = parsePromql(expression);
  for (const { metric, matchers } of selectors) {
    t.ok(metrics.has(metric), `${name}: ${metric}`);
    const labels: Labels = metrics.get(metric) ?? new Map();
    for (const label of labels.keys()) known.add(label);
    for (const { label, operator, value } of matchers.filter(({ label }) => !prometheusLabels.includes(label))) {
      const values = labels.get(label);
      t.ok(operator.endsWith('~') ? values : values?.has(value), `${name}: ${metric}{${label}${operator}"${value}"}`);
    }
  }
  for (const label of grouping) t.ok(known.has(label), `${name}: by ${label}`);
  t.ok(selectors.length > 0, name);
  return grouping.length > 0 ? new Set(grouping) : known;
}
