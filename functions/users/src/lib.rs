//! Who is who in a tenant.
