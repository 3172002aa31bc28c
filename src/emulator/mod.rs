//! A local AWS Backup over HTTP.
