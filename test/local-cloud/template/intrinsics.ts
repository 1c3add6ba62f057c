import { NotEmulated } from '../errors.ts';
import { asJson, isObject, type Json, type JsonObject } from '../json.ts';
import { accountId, region } from '../world.ts';
import type { Stack } from './assembly.ts';

/** `Ref` and `Fn::GetAtt` of one resource, answered by those who know its type. */
export interface Attributes {
  readonly ref: (stack: Stack, logicalId: string) => Json;
  readonly attribute: (stack: Stack, logicalId: string, name: string) => Json;
}

const pseudoParameters: Readonly<Record<string, string>> = {
  'AWS::AccountId': accountId,
  'AWS::Region': region,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};
/** Stands for `AWS::NoValue`: the member is left out. */
const noValue = Symbol('AWS::NoValue');

/** Resolves CloudFormation's functions. A function that is not emulated is refused. */
export class Resolver {
  readonly #stacks: readonly Stack[];
  readonly #attributes: Attributes;

  constructor(stacks: readonly Stack[], attributes: Attributes) {
    this.#stacks = stacks;
    this.#attributes = attributes;
  }

  resolve(stack: Stack, value: unknown): Json {
    const resolved = this.#resolve(stack, value);
    return resolved === noValue ? null : asJson(resolved);
  }

  /** An object of properties; those without a value are left out. */
  properties(stack: Stack, value: Readonly<Record<string, unknown>>): JsonObject {
    const resolved = this.resolve(stack, value);
    return isJsonObject(resolved) ? resolved : {};
  }

  condition(stack: Stack, name: string): boolean {
    const expression = stack.template.Conditions?.[name];
    if (expression === undefined) throw new NotEmulated(`${stack.name}: there is no condition ${name}`);
    return this.#test(stack, expression);
  }

  #resolve(stack: Stack, value: unknown): unknown {
    if (Array.isArray(value))
      return value.map((member) => this.#resolve(stack, member)).filter((member) => member !== noValue);
    if (!isObject(value)) return value;
    const [only, ...others] = Object.entries(value);
    if (only && others.length === 0 && (only[0] === 'Ref' || only[0].startsWith('Fn::')))
      return this.#call(stack, only[0], only[1]);
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, member]) => {
        const resolved = this.#resolve(stack, member);
        return resolved === noValue ? [] : [[name, resolved]];
      }),
    );
  }

  #call(stack: Stack, name: string, argument: unknown): unknown {
    switch (name) {
      case 'Ref':
        return this.#ref(stack, String(argument));
      case 'Fn::GetAtt': {
        const [id, ...path] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
        return this.#attributes.attribute(stack, id ?? '', path.join('.'));
      }
      case 'Fn::Join': {
        const [separator, parts] = this.#list(stack, argument);
        return texts(parts).join(String(separator));
      }
      case 'Fn::Select': {
        const [index, list] = this.#list(stack, argument);
        return Array.isArray(list) ? list[Number(index)] : undefined;
      }
      case 'Fn::Split': {
        const [separator, text] = this.#list(stack, argument);
        return String(text).split(String(separator));
      }
      case 'Fn::Sub':
        return this.#substitute(stack, argument);
      case 'Fn::ImportValue':
        return this.#import(String(this.#resolve(stack, argument)));
      case 'Fn::If': {
        const [condition, yes, no] = Array.isArray(argument) ? argument : [];
        return this.#resolve(stack, this.condition(stack, String(condition)) ? yes : no);
      }
      default:
        throw new NotEmulated(`${stack.name}: ${name}`);
    }
  }

  #list(stack: Stack, argument: unknown): readonly unknown[] {
    return Array.isArray(argument) ? argument.map((member) => this.#resolve(stack, member)) : [];
  }

  #ref(stack: Stack, name: string): unknown {
    if (name === 'AWS::NoValue') return noValue;
    if (name === 'AWS::StackName') return stack.name;
    if (name === 'AWS::StackId')
      return `arn:aws:cloudformation:${region}:${accountId}:stack/${stack.name}/00000000-0000-0000-0000-000000000000`;
    const pseudo = pseudoParameters[name];
    if (pseudo !== undefined) return pseudo;
    const parameter = stack.template.Parameters?.[name];
    if (parameter) {
      if (parameter.Default === undefined) throw new NotEmulated(`${stack.name}: parameter ${name} has no default`);
      return parameter.Default;
    }
    return this.#attributes.ref(stack, name);
  }

  #substitute(stack: Stack, argument: unknown): string {
    const [text, values] = Array.isArray(argument) ? argument : [argument, {}];
    return String(text).replace(/\$\{(!?)([^}]+)\}/g, (_all, literal: string, name: string) => {
      if (literal === '!') return `\${${name}}`;
      const own = isObject(values) ? values[name] : undefined;
      if (own !== undefined) return String(this.#resolve(stack, own));
      const [id, ...path] = name.split('.');
      return String(
        path.length === 0 ? this.#ref(stack, name) : this.#attributes.attribute(stack, id ?? '', path.join('.')),
      );
    });
  }

  #import(exportName: string): Json {
    for (const stack of this.#stacks) {
      for (const output of Object.values(stack.template.Outputs ?? {})) {
        if (output.Export && this.resolve(stack, output.Export.Name) === exportName)
          return this.resolve(stack, output.Value);
      }
    }
    throw new NotEmulated(`nothing exports ${exportName}`);
  }

  #test(stack: Stack, expression: unknown): boolean {
    const [only] = isObject(expression) ? Object.entries(expression) : [];
    const list = Array.isArray(only?.[1]) ? only[1] : [];
    switch (only?.[0]) {
      case 'Fn::Equals':
        return JSON.stringify(this.resolve(stack, list[0])) === JSON.stringify(this.resolve(stack, list[1]));
      case 'Fn::Or':
        return list.some((one) => this.#test(stack, one));
      case 'Fn::And':
        return list.every((one) => this.#test(stack, one));
      case 'Fn::Not':
        return !this.#test(stack, list[0]);
      case 'Condition':
        return this.condition(stack, String(only[1]));
      default:
        throw new NotEmulated(`${stack.name}: condition ${only?.[0]}`);
    }
  }
}

const isJsonObject = (value: Json): value is JsonObject => isObject(value);
const texts = (parts: unknown): readonly string[] => (Array.isArray(parts) ? parts.map(String) : []);
