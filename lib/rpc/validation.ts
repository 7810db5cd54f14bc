/** The ajv checks of a contract, compiled once a process. Used at both ends: neither trusts the other's data. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { TSchema } from 'typebox';
import type { Contract } from './contracts/contract.ts';

/** Undefined: the value fits. `field` is dotted (`envelope.to.0`), empty for the value itself. */
export type Check = (value: unknown) => { field: string; message: string } | undefined;

export interface ContractChecks {
  /** Turns the strings of a URL into the numbers and booleans of the schema, in place. */
  params: Check;
  body: Check;
  reply: Check;
}

const ajv = createAjv({ coerceTypes: false });
const paramsAjv = createAjv({ coerceTypes: true });
const compiled = new WeakMap<Contract, ContractChecks>();

export function checksOf(contract: Contract): ContractChecks {
  const known = compiled.get(contract);
  if (known) return known;
  const checks = {
    params: createCheck(paramsAjv, contract.params),
    body: hasBody(contract) ? createCheck(ajv, contract.body) : checkNothing,
    reply: createCheck(ajv, contract.reply),
  };
  compiled.set(contract, checks);
  return checks;
}

/** A GET carries no body; its contract says `Type.Undefined()`, which is no JSON schema. */
export function hasBody(contract: Contract): boolean {
  return contract.method !== 'GET';
}

function createAjv({ coerceTypes }: { coerceTypes: boolean }): Ajv {
  const instance = new Ajv({ coerceTypes, strict: true, allErrors: false });
  addFormats.default(instance);
  return instance;
}

function createCheck(instance: Ajv, schema: TSchema): Check {
  const validate: ValidateFunction = instance.compile(schema);
  return (value) => (validate(value) ? undefined : describe(validate.errors?.[0]));
}

const checkNothing: Check = () => undefined;

function describe(error: ErrorObject | undefined): { field: string; message: string } {
  if (!error) return { field: '', message: 'is not valid' };
  const path = error.instancePath.slice(1).split('/').filter(Boolean);
  const missing = error.params.missingProperty;
  if (typeof missing === 'string') path.push(missing);
  return { field: path.join('.'), message: error.message ?? 'is not valid' };
}
