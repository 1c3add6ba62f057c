import { createSimulator } from './simulator.ts';

/** Makes simulated clusters in a folder for a person to try: `tsx play.ts <folder>`. */
const play = async (directory: string): Promise<void> => {
  const { bin, services } = await createSimulator({ directory });
  console.log(`clusters ${services.join(' and ')} are in ${directory}; now run:\nexport PATH=${bin}:$PATH`);
};

await play(process.argv[2] ?? '/tmp/ozone-simulator');
