import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IService } from 'kubernetes-models/v1/Service';
import { parseAllDocuments } from 'yaml';
import { root } from '../root.js';

/** Makes every field required: a test that reads a field expects it to exist. */
type DeepRequired<T> = { [K in keyof T]-?: DeepRequired<T[K]> };

export interface Kinds {
  ConfigMap: DeepRequired<IConfigMap>;
  Deployment: DeepRequired<IDeployment>;
  HorizontalPodAutoscaler: DeepRequired<IHorizontalPodAutoscaler>;
  NetworkPolicy: DeepRequired<INetworkPolicy>;
  PodDisruptionBudget: DeepRequired<IPodDisruptionBudget>;
  Service: DeepRequired<IService>;
}

export type Manifest = Kinds[keyof Kinds];

/** For tests of what kustomize renders: `{ skip: needsKubectl }`. In CI a missing or old kubectl is a failure. */
export const needsKubectl = !isInstalled() && !process.env.CI && 'needs kubectl, 1.25 or newer';

/** Renders a directory of deploy/kubernetes as `kubectl apply -k` would, with one object for each document. */
export function render(directory: string): Manifest[] {
  const path = join(root, 'deploy/kubernetes', directory);
  const text = execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => document.toJS());
}

/** For tests of the chart: `{ skip: needsHelm }`. In CI a missing Helm is a failure. */
export const needsHelm = !isHelmInstalled() && !process.env.CI && 'needs helm';

/**
 * Renders the chart as `helm install` would, with one object for each document.
 *
 * @param args such as `--set image.tag=1.2.3`
 */
export function renderChart(...args: string[]): Manifest[] {
  const text = execFileSync('helm', ['template', 'musicez', join(root, 'deploy/helm'), ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return parseAllDocuments(text).map((document) => document.toJS());
}

/**
 * Validates an object with the Kubernetes schema of its kind.
 *
 * @returns the problems, which include unknown fields: the schemas allow additional fields, but the validation never
 * reads them.
 */
export async function problemsOf(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const { [kind]: Model } = await import(`kubernetes-models/${apiVersion}/${kind}`);
  const unread = new Set<string>();
  try {
    trackReads(new Model(manifest), kind, unread).validate();
  } catch (error) {
    return [`${kind}: ${(error as Error).message}`];
  }
  return [...unread].map((field) => `${field}: no such field`);
}

/** @param unread receives the path of each field in `value`; reading a field removes its path */
function trackReads<T extends object>(value: T, path: string, unread: Set<string>): T {
  const children = new Map<string | symbol, unknown>();
  for (const [name, child] of Object.entries(value)) {
    const childPath = `${path}.${name}`;
    unread.add(childPath);
    children.set(name, typeof child === 'object' && child !== null ? trackReads(child, childPath, unread) : child);
  }
  return new Proxy(value, {
    get(target, name) {
      unread.delete(`${path}.${String(name)}`);
      return children.has(name) ? children.get(name) : Reflect.get(target, name);
    },
  });
}

function isInstalled() {
  try {
    // kubectl before 1.25 does not show its kustomize version. Debian 12 has kubectl 1.20, whose kustomize is too old.
    const version = execFileSync('kubectl', ['version', '--client'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return version.includes('Kustomize Version');
  } catch {
    return false;
  }
}

function isHelmInstalled() {
  try {
    execFileSync('helm', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
