-- Runs at the first start of the postgres image, where POSTGRES_DB has created musicez_dev already. It can be run again.
-- PostgreSQL has no CREATE DATABASE IF NOT EXISTS: psql's \gexec runs what a query returns, here a statement or nothing.

-- Create development database
SELECT 'CREATE DATABASE musicez_dev'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'musicez_dev')\gexec

-- Create shadow database for Prisma migrations
SELECT 'CREATE DATABASE musicez_shadow'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'musicez_shadow')\gexec

-- Create test database
SELECT 'CREATE DATABASE musicez_test'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'musicez_test')\gexec

-- Grant all privileges
GRANT ALL PRIVILEGES ON DATABASE musicez_dev TO postgres;
GRANT ALL PRIVILEGES ON DATABASE musicez_shadow TO postgres;
GRANT ALL PRIVILEGES ON DATABASE musicez_test TO postgres;
