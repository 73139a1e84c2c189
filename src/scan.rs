//! Finding a byte in short texts.

/// The place of the first byte that is one of those that `is_wanted` says.
///
/// `is_wanted` has to be a few comparisons without branches: the compiler then makes them for sixteen bytes at once. Where
/// the byte is near, as between fields and lines, this is done before `memchr` has found out what the processor can do.
#[inline(always)]
pub(crate) fn position(bytes: &[u8], is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (nth, chunk) in chunks.iter().enumerate() {
        let marks = chunk.map(|byte| if is_wanted(byte) { u8::MAX } else { 0 });
        let marks = u128::from_le_bytes(marks);
        if marks != 0 {
            return Some(16 * nth + marks.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|&byte| is_wanted(byte))?;
    Some(16 * chunks.len() + at)
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn the_first_is_found_wherever_it_is() {
        for len in 0..70 {
            for at in 0..=len {
                let mut bytes = vec![b'a'; len];
                for byte in &mut bytes[at..] {
                    *byte = b',';
                }
                let expected = (at < len).then_some(at);
                assert_eq!(
                    position(&bytes, |byte| byte == b','),
                    expected,
                    "{at} of {len}"
                );
                assert_eq!(position(&bytes, |byte| byte < b' '), None);
            }
        }
    }
}
