//! API keys: their sources, and the comparison with a request's key.

use std::env::VarError;
use std::fmt;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::reload::{FromFiles, cannot_read};

/// The environment variable that holds keys, separated by commas.
pub(crate) const KEYS_VARIABLE: &str = "PICK_REGNO_API_KEYS";
/// Maximum number of active keys.
const MAX_KEYS: usize = 1_000;
/// Maximum length of a key in bytes; a longer one could not be sent in a header of the default size.
const MAX_KEY: usize = 4 * 1024;
/// Recommended minimum length of a key in characters; a shorter one can be guessed.
const GOOD_KEY: usize = 16;

/// Active keys, by their SHA-256.
pub struct Keys {
    fixed: Active,
    file: Option<FromFiles<Active>>,
}

/// Keys from one source.
#[derive(Default)]
pub(crate) struct Active {
    digests: Vec<Digest>,
    /// Number of keys with fewer than [`GOOD_KEY`] characters.
    short: usize,
}

impl Active {
    fn new(keys: &[String]) -> Active {
        Active {
            digests: keys.iter().map(|key| sha256(key.as_bytes())).collect(),
            short: keys.iter().filter(|key| key.len() < GOOD_KEY).count(),
        }
    }

    /// Returns a sentence about short keys of `place`; `None` if all are long enough.
    pub(crate) fn warning(&self, place: &str) -> Option<String> {
        (self.short > 0).then(|| {
            format!(
                "{place}: {} of {} key(s) have fewer than {GOOD_KEY} characters and may be guessed; make one with \
                 `openssl rand -hex 32`",
                self.short,
                self.digests.len()
            )
        })
    }
}

/// Stored as words, each of which is compared at once, unlike eight bytes.
type Digest = [u64; 4];

/// Error of reading keys. Names the source, and never a key.
#[derive(Debug)]
pub struct KeysError(String);

impl fmt::Display for KeysError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for KeysError {}

impl Keys {
    /// Reads keys from `variable`'s text (separated by commas) and from `file` (one per line; empty lines and those
    /// that begin with `#` are skipped). With neither, there are no keys, and every request is admitted.
    ///
    /// # Errors
    /// If the variable is set and holds no key, since a missing secret must not open the service. If a key could not be
    /// sent in a header, or the file cannot be read or holds no key.
    pub fn load(variable: Option<&str>, file: Option<&Path>) -> Result<Keys, KeysError> {
        let fixed = variable.map(read_variable).transpose().map_err(KeysError)?;
        let file = file.map(Path::to_owned).map(|path| {
            let paths = vec![path.clone()];
            FromFiles::load(paths, move || {
                keys_of_file(&path).map(|keys| Active::new(&keys))
            })
            .map_err(KeysError)
        });
        Ok(Keys {
            fixed: Active::new(&fixed.unwrap_or_default()),
            file: file.transpose()?,
        })
    }

    /// Returns true if there are no keys, so that none is required.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.fixed.digests.is_empty()
    }

    /// Sentences about weak keys.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let fixed = self.fixed.warning(KEYS_VARIABLE);
        let file = self.file.as_ref();
        let file = file.and_then(|file| file.value().warning("--api-keys-file"));
        fixed.into_iter().chain(file).collect()
    }

    /// Returns true if `key` is active. Takes the same time for every key.
    pub fn accepts(&self, key: &[u8]) -> bool {
        let digest = sha256(key);
        let from_file = self.file.as_ref().map(FromFiles::value);
        let from_file = from_file.iter().flat_map(|active| active.digests.iter());
        let mut found = subtle::Choice::from(0);
        for active in self.fixed.digests.iter().chain(from_file) {
            found |= active.ct_eq(&digest);
        }
        found.into()
    }

    /// Returns the file, if keys come from one.
    pub(crate) fn file(&self) -> Option<&FromFiles<Active>> {
        self.file.as_ref()
    }
}

/// Returns the text of the variable `name`, which holds a secret.
///
/// # Errors
/// If it is set and not UTF-8: treating it as unset would open the service.
pub(crate) fn secret(name: &str) -> Result<Option<String>, KeysError> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(KeysError(format!(
            "{name}: is not UTF-8 text; set it anew, or unset it"
        ))),
    }
}

/// Reads the keys in the variable's text, at least one.
pub(crate) fn read_variable(text: &str) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    for (at, key) in text.split(',').map(str::trim).enumerate() {
        if !key.is_empty() {
            check(key).map_err(|why| format!("{KEYS_VARIABLE}: key {}: {why}", at + 1))?;
            keys.push(key.to_owned());
        }
    }
    if keys.is_empty() {
        return Err(format!(
            "{KEYS_VARIABLE}: is set and holds no key; put keys in it, separated by commas, or unset it"
        ));
    }
    if keys.len() > MAX_KEYS {
        return Err(format!("{KEYS_VARIABLE}: more than {MAX_KEYS} keys"));
    }
    Ok(keys)
}

/// Reads the keys in a file, at least one: one per line; empty lines and those that begin with `#` are skipped.
pub(crate) fn keys_of_file(path: &Path) -> Result<Vec<String>, String> {
    std::fs::read_to_string(path)
        .map_err(|why| cannot_read(&why))
        .and_then(|text| read_lines(&text))
        .map_err(|why| format!("--api-keys-file {}: {why}", path.display()))
}

fn read_lines(text: &str) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    // Some editors write a byte-order mark, which is invisible.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let key = line.trim();
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        check(key).map_err(|why| format!("line {}: {why}", at + 1))?;
        if key.contains(',') {
            // In the variable this would be several keys.
            return Err(format!(
                "line {}: a key has no comma; put each key on a line of its own",
                at + 1
            ));
        }
        keys.push(key.to_owned());
        if keys.len() > MAX_KEYS {
            return Err(format!("more than {MAX_KEYS} keys"));
        }
    }
    if keys.is_empty() {
        // An empty file is more likely a half-finished rewrite than a wish to lock everybody out.
        return Err("no key in it: put one on a line, or leave the option out".to_owned());
    }
    Ok(keys)
}

/// Checks that a client could send the key.
pub(crate) fn check(key: &str) -> Result<(), &'static str> {
    if key.len() > MAX_KEY {
        return Err("longer than 4096 bytes");
    }
    if !key.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
        return Err("a key is printable ASCII without blanks");
    }
    Ok(())
}

fn sha256(key: &[u8]) -> Digest {
    let bytes: [u8; 32] = Sha256::digest(key).into();
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|at| u64::from_ne_bytes(words[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::settings::reload::Look;

    #[test]
    fn any_of_several_keys_is_accepted() {
        let keys = Keys::load(Some("first, second,"), None).unwrap();
        assert!(keys.accepts(b"first"));
        assert!(keys.accepts(b"second"));
        for wrong in [&b""[..], b"firs", b"first ", b"FIRST", b"first,second"] {
            assert!(!keys.accepts(wrong));
        }
        assert!(!keys.is_empty());
        assert!(Keys::load(None, None).unwrap().is_empty());
    }

    #[test]
    fn a_variable_that_holds_no_key_opens_nothing() {
        for text in ["", " ", ",", " ,\n, ", "\t\r\n"] {
            let error = Keys::load(Some(text), None).err().unwrap().to_string();
            assert!(
                error.contains("is set and holds no key"),
                "{text:?}: {error}"
            );
        }
    }

    #[test]
    fn keys_that_are_short_are_told_of_without_being_told() {
        let long = "0123456789abcdef";
        let warnings = |text: &str| Keys::load(Some(text), None).unwrap().warnings();
        assert_eq!(warnings(long), [""; 0]);
        let warned = warnings(&format!("123321,{long},{}", &long[1..]));
        assert_eq!(warned.len(), 1);
        assert!(
            warned[0]
                .starts_with("PICK_REGNO_API_KEYS: 2 of 3 key(s) have fewer than 16 characters"),
            "{warned:?}"
        );
    }

    #[test]
    fn a_line_with_a_comma_is_refused() {
        assert_eq!(
            read_lines("good\nfirst,second\n").unwrap_err(),
            "line 2: a key has no comma; put each key on a line of its own"
        );
    }

    #[test]
    fn a_rewritten_file_replaces_its_keys() {
        let file = std::env::temp_dir().join(format!("pick-regno-keys-{}", std::process::id()));
        std::fs::write(&file, "# old\nold\n\n").unwrap();
        let keys = Keys::load(Some("fixed"), Some(&file)).unwrap();
        assert!(keys.accepts(b"old") && keys.accepts(b"fixed"));
        let look = || keys.file().unwrap().look();
        assert_eq!((look(), look()), (Look::Same, Look::Same));

        std::fs::write(&file, "newer\r\n").unwrap();
        assert_eq!((look(), look()), (Look::Same, Look::Reloaded));
        assert!(keys.accepts(b"newer") && keys.accepts(b"fixed") && !keys.accepts(b"old"));

        std::fs::write(&file, "\u{feff}marked\n").unwrap();
        assert_eq!((look(), look()), (Look::Same, Look::Reloaded));
        assert!(keys.accepts(b"marked"));

        std::fs::write(&file, "").unwrap();
        look();
        let Look::Failed(error) = look() else {
            panic!("an empty file is no list of keys");
        };
        assert!(error.contains("no key in it"), "{error}");
        assert!(keys.accepts(b"marked"), "the keys stay as they were");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn errors_say_where_and_not_what() {
        let error = Keys::load(Some("good,bad key"), None).err().unwrap();
        assert_eq!(
            error.to_string(),
            "PICK_REGNO_API_KEYS: key 2: a key is printable ASCII without blanks"
        );
    }
}
