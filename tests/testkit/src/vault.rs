//! A vault that encrypts nothing.

use messenger_core::{Result, external::Sealed, id::HubUserId, port::Vault};

/// A vault that "seals" a secret by prefixing it with the user's id.
#[derive(Debug, Clone, Copy, Default)]
pub struct TransparentVault;

impl Vault for TransparentVault {
    fn password(&self) -> Result<String> {
        Ok(format!("{:032x}", rand::random::<u128>()))
    }

    fn seal(&self, user: &HubUserId, secret: &str) -> Result<Sealed> {
        Ok(Sealed { key_id: "transparent".to_owned(), bytes: format!("{user}\0{secret}").into_bytes() })
    }

    fn open(&self, user: &HubUserId, sealed: &Sealed) -> Option<String> {
        let text = String::from_utf8(sealed.bytes.clone()).ok()?;
        text.strip_prefix(&format!("{user}\0")).map(str::to_owned)
    }
}
