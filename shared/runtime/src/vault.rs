//! The vault: encrypts the passwords for other Matrix clients with AES-256-GCM (NIST SP 800-38D). HKDF-SHA256
//! (RFC 5869) derives the key from `SECRET_KEY`.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
    rand,
};
use messenger_core::{Error, Result, external::Sealed, id::HubUserId, port::Vault};

/// The salt that separates these keys from all others that are derived from the same secret.
const SALT: &[u8] = b"messenger-service/external-access/v1";
const KEY: &[u8] = b"aes-256-gcm";
const KEY_ID: &[u8] = b"key-id";
/// 150 bits. People type passwords, so the alphabet has no characters that look alike.
const PASSWORD_LENGTH: usize = 30;
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The vault of one `SECRET_KEY`.
pub(crate) struct KeyVault {
    key: RandomizedNonceKey,
    key_id: String,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl KeyVault {
    /// Derives the key and its id.
    pub(crate) fn new(secret_key: &str) -> Result<Self> {
        let prk = Salt::new(HKDF_SHA256, SALT).extract(secret_key.as_bytes());
        let key: [u8; 32] = derived(&prk, KEY).map_err(failed)?;
        let id: [u8; 8] = derived(&prk, KEY_ID).map_err(failed)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(failed)?;
        Ok(Self { key, key_id: hex::encode(id) })
    }
}

impl Vault for KeyVault {
    fn password(&self) -> Result<String> {
        let mut bytes = [0; PASSWORD_LENGTH];
        rand::fill(&mut bytes).map_err(failed)?;
        Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
    }

    fn seal(&self, user: &HubUserId, secret: &str) -> Result<Sealed> {
        let mut text = secret.as_bytes().to_vec();
        let owner = Aad::from(user.as_str().as_bytes());
        let nonce = self.key.seal_in_place_append_tag(owner, &mut text).map_err(failed)?;
        let bytes = nonce.as_ref().iter().copied().chain(text).collect();
        Ok(Sealed { key_id: self.key_id.clone(), bytes })
    }

    fn open(&self, user: &HubUserId, sealed: &Sealed) -> Option<String> {
        let (nonce, text) = sealed.bytes.split_at_checked(NONCE_LEN)?;
        if sealed.key_id != self.key_id {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let owner = Aad::from(user.as_str().as_bytes());
        let secret = self.key.open_in_place(nonce, owner, &mut text).ok()?;
        String::from_utf8(secret.to_vec()).ok()
    }
}

fn derived<const N: usize>(prk: &Prk, purpose: &[u8]) -> Result<[u8; N], Unspecified> {
    let mut bytes = [0; N];
    prk.expand(&[purpose], Length(N))?.fill(&mut bytes)?;
    Ok(bytes)
}

/// Keys of the right length cannot fail; the system's random numbers can.
fn failed(_: Unspecified) -> Error {
    Error::internal("sealing a secret", "cryptography failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> HubUserId {
        HubUserId::new("anna")
    }

    #[test]
    fn a_sealed_secret_is_opened_for_its_user_with_its_key_only() {
        let vault = KeyVault::new("a secret").unwrap();
        let sealed = vault.seal(&anna(), "pässword").unwrap();
        assert!(!sealed.bytes.windows(4).any(|window| window == b"word"));
        assert_eq!(vault.open(&anna(), &sealed).as_deref(), Some("pässword"));
        assert_eq!(KeyVault::new("a secret").unwrap().open(&anna(), &sealed).as_deref(), Some("pässword"));
        assert_eq!(vault.open(&HubUserId::new("bert"), &sealed), None);
        assert_eq!(KeyVault::new("another secret").unwrap().open(&anna(), &sealed), None);
        for n in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[n] ^= 1;
            assert_eq!(vault.open(&anna(), &changed), None, "byte {n}");
        }
        let cut = Sealed { bytes: sealed.bytes[..5].to_vec(), ..sealed };
        assert_eq!(vault.open(&anna(), &cut), None);
    }

    #[test]
    fn sealing_twice_differs_and_so_do_generated_passwords() {
        let vault = KeyVault::new("a secret").unwrap();
        assert_ne!(vault.seal(&anna(), "p").unwrap().bytes, vault.seal(&anna(), "p").unwrap().bytes);
        let (one, other) = (vault.password().unwrap(), vault.password().unwrap());
        assert_eq!((one.len(), one == other), (PASSWORD_LENGTH, false));
    }
}
