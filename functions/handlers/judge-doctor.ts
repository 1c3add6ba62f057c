import { judgeDoctor } from '../core/use-cases/doctor.ts';
import { JudgeDoctorEnv } from './environments.ts';
import { environment, instrument } from './instrument.ts';
import { systemClock } from './wiring/clock.ts';
import { liveHosts, liveStoredOutputs } from './wiring/edge.ts';
import { liveDoctorReports } from './wiring/plans.ts';
import { deployedPolicies } from './wiring/policies.ts';
import { liveLedger, liveOperations } from './wiring/store.ts';

const env = environment(JudgeDoctorEnv);

export const handler = instrument(
  'judge-doctor',
  judgeDoctor({
    policies: deployedPolicies(),
    ledger: liveLedger(env.TABLE_NAME),
    operations: liveOperations(env.TABLE_NAME),
    hosts: liveHosts(),
    outputs: liveStoredOutputs(env.OUTPUT_BUCKET),
    reports: liveDoctorReports(env.RECORDS_BUCKET),
    clock: systemClock,
  }),
);
