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

/** A test that reads a field expects it to be there. */
type Whole<T> = { [K in keyof T]-?: Whole<T[K]> };

export interface Kinds {
  ConfigMap: Whole<IConfigMap>;
  Deployment: Whole<IDeployment>;
  HorizontalPodAutoscaler: Whole<IHorizontalPodAutoscaler>;
  NetworkPolicy: Whole<INetworkPolicy>;
  PodDisruptionBudget: Whole<IPodDisruptionBudget>;
  Service: Whole<IService>;
}

export type Manifest = Kinds[keyof Kinds];

/** For tests of what kustomize renders: `{ skip: needsKubectl }`. In CI a missing one, or an old one, is a failure. */
export const needsKubectl = !isInstalled() && !process.env.CI && 'needs kubectl, 1.25 or newer';

/** Renders a directory of deploy/kubernetes as `kubectl apply -k` would, one object a document. */
export function render(directory: string): Manifest[] {
  const path = join(root, 'deploy/kubernetes', directory);
  const text = execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => document.toJS());
}

/**
 * Holds an object against Kubernetes' own schema of its kind.
 *
 * @returns what is wrong with it. A field that no schema has is wrong too: the schemas themselves let any other field be,
 * but never look at it.
 */
export async function problemsOf(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const { [kind]: Model } = await import(`kubernetes-models/${apiVersion}/${kind}`);
  const unread = new Set<string>();
  try {
    watch(new Model(manifest), kind, unread).validate();
  } catch (error) {
    return [`${kind}: ${(error as Error).message}`];
  }
  return [...unread].map((field) => `${field}: no such field`);
}

/** @param unread gets the path of each field in `value`, and loses it when somebody reads the field */
function watch<T extends object>(value: T, path: string, unread: Set<string>): T {
  const children = new Map<string | symbol, unknown>();
  for (const [name, child] of Object.entries(value)) {
    const childPath = `${path}.${name}`;
    unread.add(childPath);
    children.set(name, typeof child === 'object' && child !== null ? watch(child, childPath, unread) : child);
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
    // Those before 1.25 do not say which kustomize they have; the overlay is too new for that of Debian 12's 1.20.
    const version = execFileSync('kubectl', ['version', '--client'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return version.includes('Kustomize Version');
  } catch {
    return false;
  }
}
