// For deployments with MIGRATE_ON_START=false.
import { createService } from 'musicez';
import { service } from './service.js';

await createService(service).migrate();
