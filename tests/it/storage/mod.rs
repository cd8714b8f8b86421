//! The database and its files: encryption, backups, migrations and failures.

mod backup;
mod damage;
mod encryption;
mod failing_writes;
mod migration;
mod missing_database;
mod owners;
mod volumes;
