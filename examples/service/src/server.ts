import { createService } from 'musicez';
import { service } from './service.js';

await createService(service).start();
