//! The private key.

use std::path::Path;

use f9_plugin_api::{Error, ErrorKind, Result, Secret};
use russh::keys::{decode_secret_key, ssh_key::PrivateKey};

use crate::errors::clean;

/// Reads the key, in any format of OpenSSH, PKCS#8 or PKCS#1.
pub(super) fn load(path: &Path, passphrase: Option<&Secret>) -> Result<PrivateKey> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("wrong value for the key `ssh_key_path`: cannot read {}", path.display());
        Error::new(ErrorKind::InvalidConnection, message).with("key", "ssh_key_path").caused_by(error)
    })?;
    let text = plain(&text);
    // First without the passphrase: given with a key that is not encrypted, it would be an error.
    let undecoded = match decode_secret_key(&text, None) {
        Ok(key) => return Ok(key),
        Err(error) => error,
    };
    let refuse = |message: &str, advice: &str| {
        let message = format!("the SSH key {} {message}", path.display());
        Err(Error::new(ErrorKind::Authentication, message).hint(advice))
    };
    if text.contains("PUBLIC KEY") || text.starts_with("ssh-") {
        return refuse("is a public key", "name the private one, without `.pub`");
    }
    if is_old_encryption(&text) {
        return refuse("has an encryption that is no longer supported", "convert it: ssh-keygen -p -f FILE");
    }
    let encrypted = matches!(undecoded, russh::keys::Error::KeyIsEncrypted) || text.contains("ENCRYPTED");
    match passphrase {
        Some(passphrase) => match decode_secret_key(&text, Some(passphrase.expose())) {
            Ok(key) => Ok(key),
            Err(error) => {
                let found =
                    format!("cannot be decrypted with this passphrase ({})", clean(&error.to_string()));
                refuse(&found, "check `ssh_key_passphrase`")
            }
        },
        None if encrypted => refuse("is encrypted", "give `ssh_key_passphrase` in the connection"),
        None => refuse(
            &format!("is no private key of a known format ({undecoded})"),
            "make one: ssh-keygen -t ed25519",
        ),
    }
}

/// The key as it was written, where an editor has put a mark at its beginning, or a configuration has indented it.
fn plain(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.fold(String::with_capacity(text.len()), |plain, line| plain + line + "\n")
}

/// PEM's own encryption, of which only the commonest form can be read.
fn is_old_encryption(text: &str) -> bool {
    text.contains("DEK-Info:") && !(text.contains("BEGIN RSA") && text.contains("AES-128-CBC"))
}
