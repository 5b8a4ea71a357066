//! The keys that each table takes. A test holds them against the schema that editors read.

pub(super) const FILE: &[&str] = &["account", "bucket", "defaults", "transfer", "limits"];
pub(super) const ACCOUNT: &[&str] = &["id"];
pub(super) const DEFAULTS: &[&str] = &["archive", "policy"];
pub(super) const BUCKET: &[&str] = &["archive", "policy"];
pub(super) const ARCHIVE: &[&str] = &[
    "to",
    "then",
    "include",
    "exclude",
    "versions",
    "restore",
    "unprovable",
    "unconditional_deletes",
];
pub(super) const RESTORE: &[&str] = &["tier", "days", "max_cost"];
pub(super) const POLICY: &[&str] =
    &["lock_to", "file", "none", "lock_mode", "replace_statements", "lose_access"];
pub(super) const TRANSFER: &[&str] = &["max_bandwidth", "max_connections"];
pub(super) const LIMITS: &[&str] =
    &["max_delete_objects", "max_delete_bytes", "max_download_bytes", "max_cost"];
