/**
 * The limits of the connection pool; times in milliseconds. The specification of the project requires these names and values.
 */
export const databaseConfig = {
  connectionLimit: 10,
  connectionTimeout: 60000,
  idleTimeout: 10000,
  maxLifetime: 1800000, // 30 minutes
};
