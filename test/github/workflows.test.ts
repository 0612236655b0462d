import { execFileSync, spawnSync } from 'node:child_process';
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
  needs?: string | string[];
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

t.test('the workflows exist and have triggers', async (t) => {
  t.strictSame(files.toSorted(), ['ci.yml', 'publish.yml', 'release.yml']);
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

t.test('jobs can only read the repository, except those that publish', async (t) => {
  for (const { name, workflow } of workflows) t.strictSame(workflow.permissions, {}, name);
  const read = { contents: 'read' };
  const more: Record<string, Record<string, string>> = {
    'publish.yml: build': { packages: 'write' },
    'publish.yml: image': { packages: 'write', 'id-token': 'write', attestations: 'write' },
    'publish.yml: package': { 'id-token': 'write' },
    'release.yml: release': { contents: 'write', 'pull-requests': 'write', issues: 'write', actions: 'write' },
  };
  for (const { name, permissions } of jobs) t.strictSame(permissions, { ...read, ...more[name] }, name);
});

t.test(
  'a job that may publish runs no package of development, and nothing is published before CI passes',
  async (t) => {
    const { jobs = {} } = workflows.find(({ name }) => name === 'publish.yml')?.workflow ?? {};
    for (const [id, { permissions = {}, steps = [] }] of Object.entries(jobs)) {
      const mayPublish = Object.values(permissions).includes('write');
      const scripts = steps.map(({ run = '' }) => run).filter((run) => /\bnp(x|m (?!publish|view))/.test(run));
      if (mayPublish) t.strictSame(scripts, [], id);
      t.ok(['version', 'ci'].includes(id) || dependsOnCi(id), id);
    }

    t.equal(jobs.ci?.needs, 'version');

    function dependsOnCi(id: string): boolean {
      const needs = [jobs[id]?.needs ?? []].flat();
      return needs.includes('ci') || (needs.length > 0 && needs.every(dependsOnCi));
    }
  },
);

t.test('workflows with write access run only for tags and on main, and none uses pull_request_target', async (t) => {
  const triggers = Object.fromEntries(workflows.map(({ name, workflow }) => [name, workflow.on]));
  t.strictSame(triggers, {
    'ci.yml': { push: { branches: ['main'] }, pull_request: null, workflow_call: null, workflow_dispatch: null },
    'publish.yml': { push: { tags: ['v*'] }, workflow_dispatch: null },
    'release.yml': { push: { branches: ['main'] } },
  });
});

t.test('only a tag of the version is published', async (t) => {
  const script = steps.find(({ run }) => run?.includes('refs/tags/v'))?.run ?? '';
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const [ref, status] of [
    [`refs/tags/v${version}`, 0],
    ['refs/tags/v99.0.0', 1],
    ['refs/heads/main', 1],
  ] as const) {
    // The runners have jq.
    const text = script.replace('jq -er .version package.json', `echo ${version}`);
    const result = spawnSync('bash', ['-ec', text], { env: { ...process.env, GITHUB_REF: ref } });
    t.equal(result.status, status, ref);
  }
});

t.test('the image has the tags of its version', async (t) => {
  const script = steps.find(({ run }) => run?.includes('imagetools create'))?.run ?? '';
  const lines = script.slice(script.indexOf('image='), script.indexOf('docker login'));
  for (const [ref, ...tags] of [
    ['v1.2.3', '1.2.3', '1.2', '1'],
    ['v0.1.2', '0.1.2', '0.1'],
    ['v1.2.3-rc.1', '1.2.3-rc.1'],
  ]) {
    const output = execFileSync('bash', ['-euc', `${lines}\necho "\${tags[*]}"`], {
      encoding: 'utf8',
      env: { ...process.env, GITHUB_REF_NAME: ref, GITHUB_REPOSITORY: 'Owner/musicez' },
    });
    t.equal(output.trim(), tags.map((tag) => `--tag ghcr.io/owner/musicez:${tag}`).join(' '));
  }
});

t.test('every script is valid shell', async (t) => {
  for (const { name, run } of steps) {
    if (run) t.doesNotThrow(() => execFileSync('bash', ['-n'], { input: run }), name);
  }
});

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

t.test('a release changes the version everywhere', async (t) => {
  const { packages, 'initial-version': initialVersion } = JSON.parse(
    readFileSync(join(root, 'release-please-config.json'), 'utf8'),
  );
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const released = JSON.parse(readFileSync(join(root, '.release-please-manifest.json'), 'utf8'));
  t.equal(released['.'] ?? initialVersion, version);
  for (const { type, path, jsonpath } of packages['.']['extra-files']) {
    const text = readFileSync(join(root, path), 'utf8');
    const lines = text.match(/^.+ # x-release-please-version$|(?<=^# x-release-please-start-version\n).+/gm) ?? [];
    const versions = lines.map((line) => /\d+\.\d+\.\d+/.exec(line)?.[0]);
    if (type === 'generic') t.strictSame(new Set(versions), new Set([version]), path);
    else t.equal(jsonpath === '$.info.version' && JSON.parse(text).info.version, version, path);
  }
});

t.test('the dev container has the Node.js of .nvmrc, and a PostgreSQL for the tests', async (t) => {
  const directory = join(root, '.devcontainer');
  const container = JSON.parse(readFileSync(join(directory, 'devcontainer.json'), 'utf8'));
  const { services } = parse(readFileSync(join(directory, container.dockerComposeFile), 'utf8'));
  const workspace = services[container.service];
  t.match(workspace.image, `:${readFileSync(join(root, '.nvmrc'), 'utf8').trim()}`);
  t.ok(workspace.volumes.includes(`..:${container.workspaceFolder}`));
  t.equal(workspace.network_mode, 'service:postgres');
  t.match(
    workspace.environment.TEST_DATABASE_URL,
    `:${services.postgres.environment.POSTGRES_PASSWORD}@127.0.0.1:5432/`,
  );
});

t.test('an issue form asks for what is needed, and has no two fields of one name', async (t) => {
  const directory = join(github, 'ISSUE_TEMPLATE');
  const forms = readdirSync(directory).filter((name) => name !== 'config.yml');
  t.strictSame(forms.toSorted(), ['bug.yml', 'idea.yml']);
  for (const form of forms) {
    const { name, description, body } = parse(readFileSync(join(directory, form), 'utf8'));
    t.ok(name && description, form);
    const fields = body.filter(({ type }: { type: string }) => type !== 'markdown');
    const ids = fields.map(({ id }: { id: string }) => id);
    t.equal(new Set(ids).size, ids.length);
    t.ok(
      fields.some(({ validations }: { validations?: { required: boolean } }) => validations?.required),
      form,
    );
  }
});
