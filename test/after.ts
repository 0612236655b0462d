import { onPostgres, postgresTemplate, runAdminSql } from './database.js';

if (onPostgres) await runAdminSql(`DROP DATABASE IF EXISTS ${postgresTemplate}`);
