import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const Statement = z.looseObject({ Action: z.union([z.string(), z.array(z.string())]) });
const Document = z.looseObject({ Statement: z.array(Statement) });
const Template = z.looseObject({
  Resources: z.record(
    z.string(),
    z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});
type Template = z.infer<typeof Template>;

/** One permission to take away. */
export interface Mutation {
  readonly file: string;
  /** Logical id of the resource that holds the statement. */
  readonly resource: string;
  readonly property: 'PolicyDocument' | 'AssumeRolePolicyDocument' | 'whole';
  /** Place of the statement in its document. */
  readonly index: number;
  /** Of a role's policy one action is taken away, of a resource's or a trust policy the whole statement. */
  readonly action: string;
  readonly title: string;
}

const documents = {
  'AWS::IAM::Policy': 'PolicyDocument',
  'AWS::S3::BucketPolicy': 'PolicyDocument',
  'AWS::SQS::QueuePolicy': 'PolicyDocument',
  'AWS::SNS::TopicPolicy': 'PolicyDocument',
  'AWS::IAM::Role': 'AssumeRolePolicyDocument',
} as const;
const isDocumentType = (type: string): type is keyof typeof documents => Object.hasOwn(documents, type);

const short = (id: string): string => id.replace(/(DefaultPolicy)?[0-9A-F]{8}$/, '');
const read = (assembly: string, file: string): Template =>
  Template.parse(JSON.parse(readFileSync(join(assembly, file), 'utf8')));

/** Every permission of the assembly. */
export const mutationsOf = (assembly: string): readonly Mutation[] =>
  readdirSync(assembly)
    .filter((file) => file.endsWith('.template.json'))
    .flatMap((file) =>
      Object.entries(read(assembly, file).Resources).flatMap(([resource, { Type: type, Properties: properties }]) => {
        if (type === 'AWS::Lambda::Permission')
          return [
            {
              file,
              resource,
              property: 'whole' as const,
              index: 0,
              action: 'lambda:InvokeFunction',
              title: short(resource),
            },
          ];
        if (!isDocumentType(type)) return [];
        const property = documents[type];
        return Document.parse(properties?.[property]).Statement.flatMap((statement, index) => {
          const actions = [statement.Action].flat();
          const title = `${short(resource)}/${typeof statement.Sid === 'string' ? statement.Sid : index}`;
          return (type === 'AWS::IAM::Policy' ? actions : [actions.join(' ')]).map(
            (action): Mutation => ({ file, resource, property, index, action, title }),
          );
        });
      }),
    );

/** A copy of the assembly without the permission; its assets are links. */
export const mutate = (assembly: string, { file, resource, property, index, action }: Mutation, into: string): void => {
  rmSync(into, { recursive: true, force: true });
  cpSync(assembly, into, { recursive: true, filter: (path) => !path.includes('/asset.') });
  for (const asset of readdirSync(assembly).filter((name) => name.startsWith('asset.')))
    symlinkSync(join(assembly, asset), join(into, asset));
  const template = read(assembly, file);
  if (property === 'whole') delete template.Resources[resource];
  else {
    const properties = template.Resources[resource]?.Properties ?? {};
    const document = Document.parse(properties[property]);
    const statements = document.Statement.flatMap((statement, at) => {
      if (at !== index) return [statement];
      if (property === 'AssumeRolePolicyDocument') return [];
      const left = [statement.Action].flat().filter((it) => it !== action);
      return left.length === 0 || action.includes(' ') ? [] : [{ ...statement, Action: left }];
    });
    properties[property] = { ...document, Statement: statements };
  }
  writeFileSync(join(into, file), JSON.stringify(template));
};
