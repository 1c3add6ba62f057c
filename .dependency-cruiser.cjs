/** Which way imports go: handlers -> use-cases -> planner -> domain, adapters -> ports and domain, cdk -> what both sides share. */
const SDK = '(^|/)node_modules/(@aws-sdk|@smithy|@aws-lambda-powertools)/';

/** Files under `from` may import, of this project, only what `to` allows. */
const only = (name, comment, from, ...to) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(cdk|functions|test|statemachine)/', pathNot: to },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'a cycle that consists of types alone is gone when the code runs',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'an import that is not found escapes every other rule',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    only(
      'domain',
      'the domain knows itself and the names of the errors',
      '^functions/core/domain/',
      '^functions/core/domain/',
      '^functions/core/errors\\.ts$',
    ),
    only(
      'planner',
      'the planner decides from the domain alone',
      '^functions/core/planner/',
      '^functions/core/(planner|domain)/',
      '^functions/core/errors\\.ts$',
    ),
    only(
      'use-cases',
      'use cases join planner and ports',
      '^functions/core/use-cases/',
      '^functions/core/(use-cases|planner|domain)/',
      '^functions/core/(errors|ports)\\.ts$',
    ),
    only(
      'ports',
      'ports speak of the domain',
      '^functions/core/ports\\.ts$',
      '^functions/core/domain/',
      '^functions/core/errors\\.ts$',
    ),
    only('errors', 'the taxonomy knows nobody', '^functions/core/errors\\.ts$'),
    only(
      'adapters',
      'adapters fill ports',
      '^functions/adapters/',
      '^functions/adapters/',
      '^functions/core/domain/',
      '^functions/core/(errors|ports)\\.ts$',
    ),
    only(
      'handlers',
      'handlers wire use cases to adapters',
      '^functions/handlers/',
      '^functions/(handlers|adapters)/',
      '^functions/core/(use-cases|domain)/',
      '^functions/core/(errors|ports)\\.ts$',
    ),
    only(
      'commands',
      'commands of people join adapters and the core; nothing that is deployed needs them',
      '^functions/cli/',
      '^functions/(cli|adapters)/',
      '^functions/core/',
    ),
    {
      name: 'core-is-pure',
      comment: 'no SDK and no logger in the core',
      severity: 'error',
      from: { path: '^functions/core/' },
      to: { path: SDK },
    },
    {
      name: 'core-without-node',
      comment: 'no clock, no files, no environment in the core; a use case may hash',
      severity: 'error',
      from: { path: '^functions/core/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'hash-in-use-cases-only',
      severity: 'error',
      from: { path: '^functions/core/(domain|planner)/' },
      to: { dependencyTypes: ['core'] },
    },
    only(
      'cdk',
      'infrastructure shares the environment schemas, the errors, the domain and the budget with the functions, and nothing else',
      '^cdk/',
      '^cdk/',
      '^functions/core/domain/',
      '^functions/core/planner/budget\\.ts$',
      '^functions/core/errors\\.ts$',
      '^functions/handlers/environments\\.ts$',
    ),
    {
      name: 'functions-stand-alone',
      comment: 'a command for people may read a policy file; what is deployed has its policies in its environment',
      severity: 'error',
      from: { path: '^functions/', pathNot: '^functions/cli/' },
      to: { path: '^(cdk|test)/|(^|/)node_modules/(aws-cdk-lib|constructs|cdk-nag)/' },
    },
    {
      name: 'commands-stand-alone',
      severity: 'error',
      from: { path: '^functions/cli/' },
      to: {
        path: '^(cdk|test)/|(^|/)node_modules/(aws-cdk-lib|constructs|cdk-nag)/',
        pathNot: '^cdk/config/load-policies\\.ts$',
      },
    },
    only('local-cloud', 'an AWS that would serve any project', '^test/local-cloud/', '^test/local-cloud/'),
    {
      name: 'declared',
      comment: 'only packages that package.json names',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|cdk\\.out|\\.cache)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};
