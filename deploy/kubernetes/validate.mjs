// Reads JSON documents of Prometheus' operator, an array, from standard input, and says what is wrong with their types.
import { text } from 'node:stream/consumers';

const types = `${process.argv[2]}/node_modules/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index.js`;
const { PodMonitor, PrometheusRule, ServiceMonitor } = await import(types);
const kinds = { PodMonitor, PrometheusRule, ServiceMonitor };

for (const document of JSON.parse(await text(process.stdin))) {
  try {
    if (!document.spec) throw new Error('spec is missing');
    new kinds[document.kind](document).validate();
  } catch (error) {
    console.log(`${document.kind} ${document.metadata?.name}: ${error.message}`);
    process.exitCode = 1;
  }
}
