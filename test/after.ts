import { administer, onPostgres, postgresTemplate } from './database.js';

if (onPostgres) await administer(`DROP DATABASE IF EXISTS ${postgresTemplate}`);
