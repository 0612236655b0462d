import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root } from '../root.js';

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}
interface Job {
  uses?: string;
  permissions?: Record<string, string>;
  steps?: Step[];
}
interface Workflow {
  on: Record<string, unknown>;
  permissions: unknown;
  jobs: Record<string, Job>;
}

const github = join(root, '.github');
const files = readdirSync(join(github, 'workflows'));
const workflows = files.map((name) => {
  const text = readFileSync(join(github, 'workflows', name), 'utf8');
  return { name, text, workflow: parse(text) as Workflow };
});
const jobs = workflows.flatMap(({ name, workflow }) =>
  Object.entries(workflow.jobs).map(([id, job]) => ({ name: `${name}: ${id}`, ...job })),
);
const steps = jobs.flatMap(({ name, steps = [] }) => steps.map((step) => ({ name, ...step })));

t.test('both workflows exist and have triggers', async (t) => {
  t.strictSame(files.toSorted(), ['ci.yml', 'image.yml']);
  for (const { name, workflow } of workflows) t.ok(Object.keys(workflow.on).length > 0, name);
});

t.test('every action is pinned to a commit, with its version in a comment', async (t) => {
  for (const { name, text } of workflows) {
    const lines = text.split('\n').filter((line) => /^\s*(- )?uses:/.test(line));
    t.ok(lines.length > 0, name);
    for (const line of lines.filter((line) => !line.includes('uses: ./'))) {
      t.match(line, /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
    }
  }
});

t.test('an action is pinned to the same commit everywhere', async (t) => {
  const used = new Set(steps.flatMap(({ uses }) => uses ?? []));
  t.equal(new Set([...used].map((uses) => uses.split('@')[0])).size, used.size);
});

t.test('jobs can only read the repository, except the job that publishes the image', async (t) => {
  for (const { name, workflow } of workflows) t.strictSame(workflow.permissions, {}, name);
  const read = { contents: 'read' };
  const publish = { ...read, packages: 'write', 'id-token': 'write', attestations: 'write' };
  for (const { name, permissions } of jobs) {
    t.strictSame(permissions, name === 'image.yml: image' ? publish : read, name);
  }
});

t.test(
  'the workflow with write access runs only for pushed tags, and no workflow uses pull_request_target',
  async (t) => {
    const triggers = Object.fromEntries(workflows.map(({ name, workflow }) => [name, workflow.on]));
    t.strictSame(triggers['image.yml'], { push: { tags: ['v*'] } });
    t.strictSame(Object.keys(triggers['ci.yml'] ?? {}), ['push', 'pull_request', 'workflow_call']);
  },
);

t.test('no script contains a workflow expression, so event data cannot become code', async (t) => {
  const scripts = steps.filter(({ run }) => run !== undefined);
  t.ok(scripts.length > 0);
  for (const { name, run } of scripts) t.notMatch(run, '${{', name);
});

t.test('a checkout does not store the token', async (t) => {
  const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
  t.ok(checkouts.length > 0);
  for (const { name, with: options } of checkouts) t.equal(options?.['persist-credentials'], false, name);
});

t.test('Dependabot updates packages, images and actions weekly, in groups', async (t) => {
  const { version, updates } = parse(readFileSync(join(github, 'dependabot.yml'), 'utf8'));
  t.equal(version, 2);
  const ecosystems = updates.map((update: Record<string, string>) => update['package-ecosystem']);
  t.strictSame(ecosystems, ['npm', 'docker', 'github-actions']);
  for (const { schedule, groups } of updates) {
    t.equal(schedule.interval, 'weekly');
    t.ok(Object.keys(groups).length > 0);
  }
});
