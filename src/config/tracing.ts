import { validateHeaderName, validateHeaderValue } from 'node:http';
import { ConfigError } from './error.js';

/** Variables that can have secrets. */
export const secretTracingVariables = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'] as const;

const endpoints = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
const protocols = ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'];
const lists = ['OTEL_RESOURCE_ATTRIBUTES', ...secretTracingVariables];
const samplers = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);

/**
 * The `OTEL_` variables; undefined when spans are off.
 *
 * @param variables all variables of the process
 * @throws ConfigError for an invalid endpoint, protocol, list, exporter or sampler, which OpenTelemetry would ignore
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function tracingVariables(variables: NodeJS.ProcessEnv): Record<string, string> | undefined {
  const otel = Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[0].startsWith('OTEL_') && !!entry[1]),
  );
  const isOn =
    endpoints.some((name) => otel[name] !== undefined) &&
    otel.OTEL_SDK_DISABLED?.toLowerCase() !== 'true' &&
    otel.OTEL_TRACES_EXPORTER !== 'none';
  if (!isOn) return undefined;
  const check = (name: string, isValid: (value: string) => boolean, hint: string) => {
    const value = otel[name];
    if (value !== undefined && !isValid(value))
      throw new ConfigError(`${name} must be ${hint}; OTEL_SDK_DISABLED=true turns spans off`);
  };
  for (const name of endpoints) check(name, isHttpUrl, 'an http or https URL, such as http://collector:4318');
  for (const name of protocols) check(name, (value) => value === 'http/protobuf', 'http/protobuf');
  for (const name of lists) check(name, isList, 'a list such as name=value,name=value');
  for (const name of secretTracingVariables)
    check(name, isHeaderList, 'a list of headers such as name=value,name=value');
  check('OTEL_TRACES_EXPORTER', (value) => value === 'otlp', 'otlp or none');
  check('OTEL_TRACES_SAMPLER', (value) => samplers.includes(value), `one of ${samplers.join(', ')}`);
  check('OTEL_TRACES_SAMPLER_ARG', isRatio, 'a number from 0 to 1');
  return otel;
}

function isList(value: string) {
  return value.split(',').every((entry) => entry.trim() === '' || entry.trim().indexOf('=') > 0);
}

/** Otherwise Node.js would reject the headers with an error that contains them. */
function isHeaderList(value: string) {
  try {
    for (const entry of value.split(',').filter((entry) => entry.trim() !== '')) {
      const at = entry.indexOf('=');
      validateHeaderName(decodeURIComponent(entry.slice(0, at).trim()));
      validateHeaderValue('value', decodeURIComponent(entry.slice(at + 1).trim()));
    }
    return true;
  } catch {
    return false;
  }
}

function isHttpUrl(value: string) {
  return URL.canParse(value) && ['http:', 'https:'].includes(new URL(value).protocol);
}

function isRatio(value: string) {
  return value.trim() !== '' && Number(value) >= 0 && Number(value) <= 1;
}
