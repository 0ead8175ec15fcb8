//! "Did you mean": the known word nearest to one that is not.

/// The candidate that a typing slip turns into `word`, if there is one.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour (optimal string
/// alignment distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, in_a) in a.chars().enumerate() {
        let mut current = Vec::with_capacity(above.len());
        let mut left = row + 1;
        current.push(left);
        let mut previous_b = None;
        for (column, (in_b, pair)) in b.iter().zip(above.windows(2)).enumerate() {
            let (diagonal, up) = (at(pair, 0), at(pair, 1));
            let mut least = (left + 1).min(up + 1).min(diagonal + usize::from(in_a != *in_b));
            if previous_a == Some(*in_b) && previous_b == Some(in_a) && column > 0 {
                least = least.min(at(&before, column - 1) + 1);
            }
            current.push(least);
            left = least;
            previous_b = Some(*in_b);
        }
        before = std::mem::replace(&mut above, current);
        previous_a = Some(in_a);
    }
    above.last().copied().unwrap_or(0)
}

fn at(row: &[usize], index: usize) -> usize {
    row.get(index).copied().unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_slips() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("abc", "abc", 0),
            ("acb", "abc", 1),
            ("ab", "abc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["access_ttl", "refresh_ttl", "session_ttl"];
        assert_eq!(nearest("acces_ttl", &known), Some("access_ttl"));
        assert_eq!(nearest("refersh_ttl", &known), Some("refresh_ttl"));
        assert_eq!(nearest("colour", &known), None);
    }
}
