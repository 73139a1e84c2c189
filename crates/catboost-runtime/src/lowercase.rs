pub(crate) fn of(letter: char) -> char {
    letter
}
