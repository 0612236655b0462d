/**
 * The connection pool's limits, as the schema document names them; all times in milliseconds.
 * A probe or a flush has a shorter deadline of its own.
 */
export const databaseConfig = {
  connectionLimit: 10,
  connectionTimeout: 60000,
  idleTimeout: 10000,
  maxLifetime: 1800000, // 30 minutes
};
