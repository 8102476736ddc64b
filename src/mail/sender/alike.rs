//! Names and domains that look alike: skeletons of Unicode's confusables (UTS #39), and what mail adds to them.

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// What is longer is not compared.
const LONGEST: usize = 128;

/// What a domain looks like: two with one shape are told apart by nobody who only glances. `rn` and `m`, `0` and `o`,
/// `1` and `l` come to the same, and letters of other scripts to those that they resemble.
pub(super) fn shape(domain: &str) -> String {
    let (unicode, _) = idna::domain_to_unicode(domain);
    folded(&unicode).replace("vv", "w")
}

/// Whether the domain shows letters that are not ASCII.
pub(super) fn is_foreign(domain: &str) -> bool {
    domain.split('.').any(|label| label.starts_with("xn--")) || !domain.is_ascii()
}

/// What a display name comes to, whatever the order, the case and the accents of its words; `None` where it is not the
/// name of a person in at least two words.
pub(super) fn name_key(name: &str) -> Option<String> {
    let plain: String = name
        .nfkd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .take(LONGEST)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    let mut words: Vec<String> = plain.split_whitespace().map(folded).collect();
    let long = words.iter().filter(|word| word.chars().count() >= 2).count();
    if long < 2 || words.len() > 6 {
        return None;
    }
    words.sort_unstable();
    Some(words.join(" "))
}

fn folded(text: &str) -> String {
    let lower: String = text.to_lowercase().chars().take(LONGEST).collect();
    skeleton(&lower).collect::<String>().to_lowercase()
}

/// Whether one label becomes the other by one letter more, less, changed, or two neighbours swapped; or by hyphens alone.
pub(super) fn is_near(one: &str, other: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) =
        (one.chars().take(LONGEST).collect(), other.chars().take(LONGEST).collect());
    if a == b || a.len().min(b.len()) < 5 {
        return false;
    }
    let bare = |text: &[char]| text.iter().copied().filter(|c| *c != '-').collect::<Vec<char>>();
    if bare(&a) == bare(&b) {
        return true;
    }
    let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = |text: &[char]| text.iter().skip(front).copied().collect::<Vec<char>>();
    let (a, b) = (rest(&a), rest(&b));
    let tail = |text: &[char], skip: usize| text.iter().skip(skip).copied().collect::<Vec<char>>();
    tail(&a, 1) == tail(&b, 1)
        || tail(&a, 1) == b
        || a == tail(&b, 1)
        || tail(&a, 2) == tail(&b, 2) && a.first() == b.get(1) && a.get(1) == b.first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_that_look_alike_have_one_shape() {
        for (one, other) in [
            ("example.org", "examp1e.org"),
            ("modern.example", "rnodern.example"),
            ("google.com", "g00gle.com"),
            ("paypal.com", "xn--pypal-4ve.com"),
            ("willow.example", "vvillow.example"),
        ] {
            assert_eq!(shape(one), shape(other), "{one} {other}");
        }
        assert_ne!(shape("bob.example"), shape("bab.example"));
    }

    #[test]
    fn names_are_one_whatever_the_order_of_their_words() {
        assert_eq!(name_key("Anna Meyer"), name_key("MEYER, Anna"));
        assert_eq!(name_key("André Grünberg"), name_key("Andre Grunberg"));
        assert_eq!(name_key("Аnna Meyer"), name_key("Anna Meyer"), "the first letter is Cyrillic");
        assert_eq!(name_key("Anna"), None);
        assert_eq!(name_key("A B"), None);
    }

    #[test]
    fn near_is_one_letter() {
        for (one, other) in
            [("meyer", "meyers"), ("meyer", "neyer"), ("meyer", "meeyr"), ("mybank", "my-bank")]
        {
            assert!(is_near(one, other) && is_near(other, one), "{one} {other}");
        }
        for (one, other) in [("gmail", "mail"), ("meyer", "meyer"), ("meyer", "moyar"), ("abc", "abd")] {
            assert!(!is_near(one, other), "{one} {other}");
        }
    }
}
