//! The order in which Python's sort leaves a list, NaN or not.
//!
//! A comparison with NaN is false, so sorting such a list is no longer a question of what is less, but of which
//! comparisons are made. This makes those of CPython 3.11's `list.sort` (`Objects/listobject.c`).

/// Sorts pairs by their scores, greatest first, as `sorted(pairs, key=…, reverse=True)`: the list is reversed, sorted
/// stably, and reversed again.
pub fn descending(pairs: impl Iterator<Item = (char, f64)>) -> Vec<(char, f64)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.reverse();
    sort(&mut pairs);
    pairs.reverse();
    pairs
}

type Pair = (char, f64);

fn is_less(a: &Pair, b: &Pair) -> bool {
    a.1 < b.1
}

fn sort(pairs: &mut [Pair]) {
    let (run, is_descending) = first_run(pairs);
    if is_descending {
        pairs[..run].reverse();
    }
    insert(pairs, run);
}

/// The length of the run that the list begins with, and whether it descends.
fn first_run(pairs: &[Pair]) -> (usize, bool) {
    let mut steps = pairs.windows(2).map(|pair| is_less(&pair[1], &pair[0]));
    let Some(is_descending) = steps.next() else {
        return (pairs.len(), false);
    };
    let more = steps.take_while(|&down| down == is_descending).count();
    (2 + more, is_descending)
}

/// Puts each pair from `sorted` on into its place among those before it, by halving.
fn insert(pairs: &mut [Pair], sorted: usize) {
    for at in sorted..pairs.len() {
        let (mut low, mut high) = (0, at);
        while low < high {
            let middle = low + (high - low) / 2;
            match is_less(&pairs[at], &pairs[middle]) {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        pairs[low..=at].rotate_right(1);
    }
}
