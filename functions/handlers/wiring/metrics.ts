import { Metrics as Powertools } from '@aws-lambda-powertools/metrics';
import type { Metrics } from '../../core/ports.ts';
import { METRICS } from '../environments.ts';

/** Metrics through the log (CloudWatch embedded metric format), in the namespace of this deployment. */
export const liveMetrics = (deployment: string): Metrics => {
  const powertools = new Powertools({ namespace: METRICS, serviceName: deployment });
  return {
    gauge: (name, unit, value, dimensions) => {
      const single = powertools.singleMetric();
      for (const [dimension, of] of Object.entries(dimensions)) single.addDimension(dimension, of);
      single.addMetric(name, unit, value);
    },
  };
};
