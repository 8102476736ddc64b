//! What queries mean, what they may not be, and that they print and read back.

use proptest::prelude::*;

use super::*;
use crate::mail::words::words;

/// Friday 2024-05-17, 22:30 UTC: already Saturday where Alice lives.
const NOW: i64 = 1_715_985_000;
const ZONE: i32 = 2 * 3600;

fn read(text: &str) -> Query {
    parse(text, NOW, ZONE).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The tree in a short notation.
fn tree(query: &Query) -> String {
    let list = |all: &[Query]| all.iter().map(tree).collect::<Vec<_>>().join(" ");
    match query {
        Query::All => "*".to_owned(),
        Query::And(all) => format!("and({})", list(all)),
        Query::Or(all) => format!("or({})", list(all)),
        Query::Not(not) => format!("not({})", tree(not)),
        Query::Leaf(leaf) => leaf.to_string(),
    }
}

#[test]
fn terms_bind_as_one_expects() {
    let cases = [
        ("*", "*"),
        ("alice", "alice"),
        ("alice bob", "and(alice bob)"),
        ("alice AND bob", "and(alice bob)"),
        ("alice and bob or carol", "and(alice and bob or carol)"),
        ("alice OR bob carol", "or(alice and(bob carol))"),
        ("(alice OR bob) carol", "and(or(alice bob) carol)"),
        ("(alice OR bob)carol", "and(or(alice bob) carol)"),
        ("-alice", "not(alice)"),
        ("NOT alice bob", "and(not(alice) bob)"),
        ("NOT -alice", "not(not(alice))"),
        ("* -(alice bob)", "and(* not(and(alice bob)))"),
        ("well-known", "well-known"),
        ("  alice\u{3000}bob\n", "and(alice bob)"),
        ("\"train to Bath\"", "\"train to Bath\""),
        ("“train to Bath”", "\"train to Bath\""),
        (r#""she said \"no\" in C:\temp""#, r#""she said \"no\" in C:\\temp""#),
        ("gard* \"spring gard\"*", "and(gard* \"spring gard\"*)"),
        ("from:(alice OR bob*)", "or(from:alice from:bob*)"),
        ("SUBJECT:\"two words\"", "subject:\"two words\""),
        ("-from:(alice -bob)", "not(and(from:alice not(from:bob)))"),
        ("http://bob.example/a?b=c", "\"http://bob.example/a?b=c\""),
        ("mailto:bob@bob.example", "\"mailto:bob@bob.example\""),
        ("12:30 std::vec", "and(\"12:30\" \"std::vec\")"),
        ("from:@bob.example", "from:\"@bob.example\""),
        ("東京 OR 京都*", "or(東京 京都*)"),
    ];
    for (text, expected) in cases {
        assert_eq!(tree(&read(text)), expected, "{text}");
    }
}

#[test]
fn fields_give_their_conditions() {
    let cases = [
        ("tag:Garden", Leaf::Tag("garden".into())),
        ("in:INBOX", Leaf::Tag("inbox".into())),
        ("is:Unread", Leaf::Tag("unread".into())),
        ("is:signed", Leaf::Kind(Kind::Signed)),
        ("has:calendar", Leaf::Kind(Kind::Calendar)),
        ("folder:\"Old Mail/2019\"", Leaf::Folder("Old Mail/2019".into())),
        ("folder:INBOX/a*b", Leaf::Folder("INBOX/a*b".into())),
        ("account:alice@alice.example", Leaf::Account("alice@alice.example".into())),
        ("thread:abc123", Leaf::Thread("abc123".into())),
        ("id:<1*2@bob.example>", Leaf::InternetMessageId("1*2@bob.example".into())),
        ("header:X-Mailer", Leaf::Header { name: "x-mailer".into(), value: String::new() }),
        ("header:X-Mailer:", Leaf::Header { name: "x-mailer".into(), value: String::new() }),
        ("header:List-Id:garden.x", Leaf::Header { name: "list-id".into(), value: "garden.x".into() }),
        ("header:Re:\"a b\"", Leaf::Header { name: "re".into(), value: "a b".into() }),
        ("larger:5M", Leaf::Larger(5 << 20)),
        ("smaller:10kB", Leaf::Smaller(10 << 10)),
        ("larger:1.5g", Leaf::Larger(3 << 29)),
        ("larger:17", Leaf::Larger(17)),
    ];
    for (text, leaf) in cases {
        assert_eq!(read(text), Query::Leaf(leaf), "{text}");
    }
}

#[test]
fn times_are_those_of_the_owner() {
    // Midnight at the beginning of 2024-05-18, where Alice lives.
    let today = 1_715_983_200;
    let day = 86_400;
    let (january, april, next_year) = (1_704_060_000, 1_711_922_400, 1_735_682_400);
    let cases = [
        ("date:today", Some(today), Some(today + day)),
        ("date:yesterday", Some(today - day), Some(today)),
        ("date:2024-05-18", Some(today), Some(today + day)),
        ("after:today", Some(today), None),
        ("before:today", None, Some(today)),
        ("date:7d", Some(today - 7 * day), None),
        ("after:1W", Some(today - 7 * day), None),
        ("before:2d", None, Some(today - 2 * day)),
        ("date:3d..2d", Some(today - 3 * day), Some(today - day)),
        ("date:1y", Some(today - 366 * day), None),
        ("date:2024", Some(january), Some(next_year)),
        ("date:2024-01..2024-03", Some(january), Some(april)),
        ("date:2024..", Some(january), None),
        ("date:..2024-03-31", None, Some(april)),
        ("date:2024-02-29", Some(april - 32 * day), Some(april - 31 * day)),
        ("before:2024-05-17T22:30:00Z", None, Some(NOW)),
        ("date:2024-05-17T22:30:00Z", Some(NOW), Some(NOW + 1)),
    ];
    for (text, from, until) in cases {
        assert_eq!(read(text), Query::Leaf(Leaf::Date { from, until }), "{text}");
    }
}

#[test]
fn what_cannot_be_understood_is_pointed_at() {
    let cases = [
        ("", "at character 1: nothing is asked for; `*` is everything"),
        (" \t", "at character 1: nothing is asked for; `*` is everything"),
        ("alice (bob", "at character 7: a parenthesis is opened here but never closed"),
        ("alice (", "at character 7: a parenthesis is opened here but never closed"),
        ("from:(bob", "at character 6: a parenthesis is opened here but never closed"),
        ("alice) bob", "at character 6: a parenthesis is closed here that was never opened"),
        (")", "at character 1: a parenthesis is closed here that was never opened"),
        ("()", "at character 2: there is nothing in these parentheses"),
        ("é \"bob", "at character 3: a quotation mark is opened here but never closed"),
        ("OR bob", "at character 1: `OR` has nothing before it"),
        ("bob OR", "at character 7: `OR` has nothing after it"),
        ("bob OR OR x", "at character 8: `OR` has nothing after it"),
        ("bob NOT", "at character 5: `NOT` has nothing after it"),
        ("AND bob", "at character 1: `AND` has nothing before it"),
        ("bob AND", "at character 5: `AND` has nothing after it"),
        (
            "a - b",
            "at character 3: a minus sign stands alone here; it belongs right before what is not wanted",
        ),
        ("!!!", "at character 1: there is no word in `!!!` to look for"),
        ("from: bob", "at character 1: `from:` wants something right after the colon"),
        ("a*b", "at character 2: `*` can only stand at the end of a word"),
        ("is:read", "at character 4: for what was read, write `-is:unread`"),
        ("from:-bob", "at character 6: the minus sign belongs before the field: `-from:`"),
        ("from:(a subject:b)", "at character 9: `subject:` stands inside the parentheses of another field"),
        ("date:2024-13", "at character 6: `2024-13` has no such month: months go from 01 to 12"),
        ("date:2023-02-29", "at character 6: `2023-02-29` is a day that this month does not have"),
        ("date:2024-03..2024-01", "at character 6: this stretch of time ends before it begins"),
        (
            "after:9999999999999999999y",
            "at character 7: `9999999999999999999y` is further away than calendars go",
        ),
        ("larger:big", "at character 8: `big` is no size: write `10k`, `5M`, `1G` or a number of bytes"),
        ("header:", "at character 8: `header:` wants the name of a header, as in `header:List-Id:garden`"),
    ];
    for (text, expected) in cases {
        let error = parse(text, NOW, ZONE).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    }
    for text in ["foo:bar", "form: alice", "größe:5", "x2:y"] {
        let error = parse(text, NOW, ZONE).expect_err(text).to_string();
        assert!(error.contains("there is no field") && error.contains("from, to, cc"), "{error}");
    }
    let unfit = [
        "is:happy",
        "has:time",
        "date:24",
        "date:2024-1",
        "date:..",
        "date:2024-01-01-01",
        "date:0000",
        "tag:",
        "tag:\" \"",
        "tag:a*",
        "id:<>",
        "larger:",
        "larger:5MM",
        "larger:-1",
        "larger:99999999999G",
        "larger:1.",
        "date:now",
        "after:d",
        "thread:\"\"",
        "header:a b:c ()",
        "header:a(b)",
        "--alice",
        "** bob",
        "*bob",
        "\"bob\"*s",
        "from:*",
        "\"...\"",
        "🎂",
        "from:(*)",
        "tag:(garden OR in:x)",
    ];
    for text in unfit {
        assert!(parse(text, NOW, ZONE).is_err(), "{text}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    assert!(parse(&"ä".repeat(MAX_CHARS), NOW, ZONE).is_ok());
    assert_eq!(parse(&"ä".repeat(MAX_CHARS + 1), NOW, ZONE).unwrap_err().at, MAX_CHARS);
    let nested = |depth: usize| format!("{}alice{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH), NOW, ZONE).is_ok());
    assert!(parse(&nested(MAX_DEPTH + 1), NOW, ZONE).is_err());
    assert!(parse(&"(".repeat(MAX_CHARS), NOW, ZONE).is_err());
    assert!(parse(&("NOT ".repeat(MAX_DEPTH + 1) + "alice"), NOW, ZONE).is_err());
    assert!(parse(&("-(".repeat(MAX_DEPTH) + "alice"), NOW, ZONE).is_err());
}

#[test]
fn only_what_is_wanted_in_the_text_is_marked() {
    let query = read("(alice OR subject:\"Spring G\"*) -bob from:carol filename:dave (body:Alice OR 東京)");
    let shown: Vec<_> =
        needles(&query).into_iter().map(|needle| (needle.words.join(" "), needle.prefix)).collect();
    let expected = [("alice", false), ("spring g", true), ("東 京", false)];
    assert_eq!(shown, expected.map(|(words, prefix)| (words.to_owned(), prefix)));
    assert_eq!(query.leaves().count(), 7);
}

#[test]
fn what_prints_short_stays_short() {
    let kept = [
        "from:(alice OR bob) is:unread -in:trash",
        "subject:(a (b OR c)) OR has:key",
        "larger:5M smaller:17",
        "\"OR\" \"-x\" \"a:b\"",
        "NOT -alice",
        "header:x-a:(b OR c)",
    ];
    for text in kept {
        assert_eq!(read(text).to_string(), text);
    }
}

#[test]
fn naughty_strings_are_read_or_refused() {
    let Some(corpora) = std::env::var_os("MAILKEEP_CORPORA") else { return };
    let path = std::path::Path::new(&corpora).join("html/naughty-strings/blns.txt");
    let strings = std::fs::read_to_string(path).unwrap();
    assert!(strings.lines().count() > 400);
    for text in strings.lines().chain([strings.as_str()]) {
        if let Ok(query) = parse(text, NOW, ZONE) {
            assert_eq!(read(&query.to_string()), query, "{text}");
        }
    }
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    let text = || "\\PC{0,3}[a-zA-Zäж東]\\PC{0,4}|OR|NOT|AND|.*[a-z].*";
    let trimmed = || any::<String>().prop_filter("blank", |text| !text.is_empty() && text.trim() == text);
    let wordy = move || text().prop_filter("no word", |text| words(text).next().is_some());
    let field = || {
        use TextField::{Any, Body, Filename, List, Subject};
        prop::sample::select(vec![Any, Body, Filename, List, Subject])
    };
    let person = || {
        use PersonField::{Bcc, Cc, From, To, With};
        prop::sample::select(vec![Bcc, Cc, From, To, With])
    };
    let second = || prop::option::of(-60_000_000_000..200_000_000_000_i64);
    prop_oneof![
        (field(), wordy(), any::<bool>()).prop_map(|(field, text, prefix)| Leaf::Text {
            field,
            text,
            prefix
        }),
        (person(), wordy(), any::<bool>()).prop_map(|(field, text, prefix)| Leaf::Person {
            field,
            text,
            prefix
        }),
        ("[a-z0-9._-]{1,9}", prop_oneof![Just(String::new()), wordy()])
            .prop_map(|(name, value)| Leaf::Header { name, value }),
        trimmed().prop_map(|tag| Leaf::Tag(tag.to_lowercase())),
        trimmed().prop_map(Leaf::Account),
        any::<String>().prop_filter("empty", |name| !name.is_empty()).prop_map(Leaf::Folder),
        trimmed().prop_map(Leaf::Thread),
        trimmed().prop_filter("brackets", |id| !id.starts_with('<')).prop_map(Leaf::InternetMessageId),
        (second(), second()).prop_filter_map("empty time", |(from, until)| {
            let holds = from.zip(until).is_none_or(|(from, until)| from < until);
            ((from.is_some() || until.is_some()) && holds).then_some(Leaf::Date { from, until })
        }),
        any::<u64>().prop_map(Leaf::Larger),
        any::<u64>().prop_map(|bytes| Leaf::Smaller(bytes >> 44 << 20)),
        Just(Leaf::Kind(Kind::Signed)),
        Just(Leaf::Tag("unread".to_owned())),
    ]
}

fn any_query() -> impl Strategy<Value = Query> {
    let leaf = prop_oneof![9 => any_leaf().prop_map(Query::Leaf), 1 => Just(Query::All)];
    leaf.prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::Or),
            inner.prop_map(|not| Query::Not(Box::new(not))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_tree_prints_and_reads_back(query in any_query(), now in any::<i64>(), zone in -90_000..90_000_i32) {
        let text = query.to_string();
        if text.chars().count() <= MAX_CHARS {
            prop_assert_eq!(parse(&text, now, zone), Ok(query), "{}", text);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-z(): \"*-]|from:|date:|OR |NOT |\\PC|20|[0-9dwy.]){0,40}") {
        match parse(&text, NOW, ZONE) {
            Ok(query) => prop_assert_eq!(parse(&query.to_string(), NOW, ZONE), Ok(query)),
            Err(error) => {
                prop_assert!(error.at <= text.chars().count());
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
