import type { Acl } from '../store/model.ts';

/** Rights in the order in which Ozone lists them, and their letters. */
const RIGHTS: readonly (readonly [letter: string, right: string])[] = [
  ['r', 'READ'],
  ['w', 'WRITE'],
  ['c', 'CREATE'],
  ['l', 'LIST'],
  ['d', 'DELETE'],
  ['x', 'READ_ACL'],
  ['y', 'WRITE_ACL'],
  ['a', 'ALL'],
  ['n', 'NONE'],
];

/** `user:bob:rw`, `group:staff:rl[DEFAULT]`, `world::r` */
export function parseAcl(text: string): Acl | null {
  const [, type = '', name = '', rights = '', scope = 'ACCESS'] =
    /^(user|group|world|anonymous):([^:]*):([rwcldxyan]+)(?:\[(ACCESS|DEFAULT)\])?$/i.exec(text) ?? [];
  return type === '' ? null : { type: type.toUpperCase(), name: name || type.toUpperCase(), scope, rights };
}

const listed = (rights: string) => RIGHTS.filter(([letter]) => rights.includes(letter));

export const aclText = ({ type, name, scope, rights }: Acl): string =>
  `${type.toLowerCase()}:${name}:${listed(rights)
    .map(([letter]) => letter)
    .join('')}[${scope}]`;

export const aclJson = ({ type, name, scope, rights }: Acl) => {
  const list = listed(rights).map(([, right]) => right);
  return { type, name, aclScope: scope, aclList: list, aclSet: list };
};
