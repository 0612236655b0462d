import { createService } from 'musicez';
import { greetingRoutes } from './routes/greetings.js';

await createService({ routes: [greetingRoutes] }).start();
