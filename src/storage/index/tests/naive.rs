//! What the index finds is what reading every message from beginning to end finds.

use super::*;
use crate::mail::address::canonical;
use crate::mail::query::{PersonField, TextField};
use crate::mail::words::words;
use proptest::prelude::*;

fn list(text: &str) -> Vec<String> {
    words(text).map(|word| word.text.into_owned()).collect()
}

/// Whether the words stand in the text one after the other.
fn has(text: &str, wanted: &str, prefix: bool) -> bool {
    let (text, wanted) = (list(text), list(wanted));
    let Some((last, before)) = wanted.split_last() else { return false };
    text.windows(wanted.len()).any(|window| {
        let (end, start) = window.split_last().unwrap();
        start == before && if prefix { end.starts_with(last.as_str()) } else { end == last }
    })
}

fn is_person(person: &Person, wanted: &str, prefix: bool) -> bool {
    let address = canonical(&person.address);
    let fits = |text: &str, wanted: &str| if prefix { text.starts_with(wanted) } else { text == wanted };
    let in_domain = |wanted: &str| {
        let Some((_, domain)) = address.rsplit_once('@') else { return false };
        let labels: Vec<&str> = domain.split('.').collect();
        (0..labels.len()).any(|from| {
            (from == 0 || labels.len() - from > 1) && fits(&format!("@{}", labels[from..].join(".")), wanted)
        })
    };
    if wanted.contains('@') {
        let wanted = canonical(wanted);
        return (address.contains('@') && fits(&address, &wanted)) || in_domain(&wanted);
    }
    has(&person.name, wanted, prefix)
        || has(&person.address, wanted, prefix)
        || (wanted.contains('.') && in_domain(&canonical(&format!("@{wanted}"))))
}

fn matches(message: &Message, query: &Query, tagged: &RoaringBitmap) -> bool {
    match query {
        Query::All => true,
        Query::And(parts) => parts.iter().all(|part| matches(message, part, tagged)),
        Query::Or(parts) => parts.iter().any(|part| matches(message, part, tagged)),
        Query::Not(inner) => !matches(message, inner, tagged),
        Query::Leaf(leaf) => matches_leaf(message, leaf, tagged),
    }
}

fn matches_leaf(message: &Message, leaf: &Leaf, tagged: &RoaringBitmap) -> bool {
    let people = |field| match field {
        PersonField::From => vec![&message.from],
        PersonField::To => vec![&message.to],
        PersonField::Cc => vec![&message.cc],
        PersonField::Bcc => vec![&message.bcc],
        PersonField::With => vec![&message.from, &message.to, &message.cc, &message.bcc],
    };
    match leaf {
        Leaf::Text { field, text, prefix } => match field {
            TextField::Subject => has(&message.subject, text, *prefix),
            TextField::Body => has(&message.body, text, *prefix),
            TextField::List => has(&message.list, text, *prefix),
            TextField::Filename => message.filenames.iter().any(|name| has(name, text, *prefix)),
            TextField::Any => {
                has(&message.subject, text, *prefix)
                    || has(&message.body, text, *prefix)
                    || message.filenames.iter().any(|name| has(name, text, *prefix))
                    || people(PersonField::With)
                        .into_iter()
                        .flatten()
                        .any(|person| has(&person.name, text, *prefix) || has(&person.address, text, *prefix))
            }
        },
        Leaf::Person { field, text, prefix } => {
            people(*field).into_iter().flatten().any(|person| is_person(person, text, *prefix))
        }
        Leaf::Header { name, value } => {
            let mut of_name =
                message.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).peekable();
            of_name.peek().is_some() && {
                let all: Vec<String> = of_name.flat_map(|(_, value)| list(value)).collect();
                list(value).iter().all(|word| all.contains(word))
            }
        }
        Leaf::Tag(_) => tagged.contains(message.number),
        Leaf::Kind(kind) => message.kinds.contains(kind),
        Leaf::Date { from, until } => {
            from.is_none_or(|from| message.date >= from) && until.is_none_or(|until| message.date < until)
        }
        Leaf::Larger(size) => message.size > *size,
        Leaf::Smaller(size) => message.size < *size,
        _ => false,
    }
}

fn phrase() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "apple", "Apple", "apricot", "app", "banana", "bänäna", "don't", "東京", "京都", "x1", "alice",
        "lab.test", "ﬁne", "a",
    ]);
    proptest::collection::vec(word, 0..4).prop_map(|words| words.join(" "))
}

fn someone() -> impl Strategy<Value = Person> {
    let name = prop::sample::select(vec!["", "Alice", "Bob Apple", "Apple Bob", "東京 Bob"]);
    let address = prop::sample::select(vec![
        "alice@lab.test",
        "ALICE@Lab.Test",
        "bob@mail.lab.test",
        "bob@apple.example",
        "alice",
        "",
        "bob@bücher.example",
    ]);
    (name, address).prop_map(|(name, address)| person(name, address))
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    proptest::collection::vec(someone(), 0..3)
}

fn kinds() -> impl Strategy<Value = BTreeSet<Kind>> {
    proptest::collection::btree_set(prop::sample::select(vec![Kind::Encrypted, Kind::Image, Kind::Key]), 0..3)
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop::sample::select(vec!["X-Apple", "x-bob"]);
    proptest::collection::vec((name.prop_map(str::to_owned), phrase()), 0..3)
}

prop_compose! {
    fn message()(
        date in -5_i64..6, size in 0_u64..6, subject in phrase(), body in proptest::collection::vec(phrase(), 0..5),
        from in people(), to in people(), cc in people(), bcc in people(),
        filenames in proptest::collection::vec(phrase(), 0..3), list in phrase(), headers in headers(), kinds in kinds(),
    ) -> Message {
        Message { number: 0, date, size, subject, from, to, cc, bcc, body: body.join(" "), filenames, list, headers, kinds }
    }
}

fn leaf() -> impl Strategy<Value = Leaf> {
    use {PersonField as P, TextField as T};
    let field = prop::sample::select(vec![T::Any, T::Subject, T::Body, T::Filename, T::List]);
    let whom = prop::sample::select(vec![P::From, P::To, P::Cc, P::Bcc, P::With]);
    let name = prop::sample::select(vec![
        "alice",
        "bob",
        "alice@lab.test",
        "Alice@LAB.test",
        "alice@",
        "@lab.test",
        "lab.test",
        "mail.lab.test",
        "ab.test",
        "bücher.example",
        "bob apple",
        "apple bob",
        "test",
        "東",
        "@",
        ".",
    ]);
    prop_oneof![
        (field, phrase(), any::<bool>()).prop_map(|(field, text, prefix)| Leaf::Text { field, text, prefix }),
        (whom, name, any::<bool>()).prop_map(|(field, text, prefix)| Leaf::Person {
            field,
            text: text.into(),
            prefix
        }),
        (prop::sample::select(vec!["x-apple", "x-bob", "x-none"]), phrase())
            .prop_map(|(name, value)| Leaf::Header { name: name.into(), value }),
        Just(Leaf::Tag("tagged".into())),
        prop::sample::select(vec![Kind::Encrypted, Kind::Image, Kind::Key]).prop_map(Leaf::Kind),
        (proptest::option::of(-6_i64..7), proptest::option::of(-6_i64..7))
            .prop_map(|(from, until)| Leaf::Date { from, until }),
        (0_u64..7).prop_map(Leaf::Larger),
        (0_u64..7).prop_map(Leaf::Smaller),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let simple = prop_oneof![1 => Just(Query::All), 12 => leaf().prop_map(Query::Leaf)];
    simple.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Query::And),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Query::Or),
            inner.prop_map(|inner| Query::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 300, ..ProptestConfig::default() })]
    #[test]
    fn the_index_finds_what_a_patient_reader_finds(
        mut messages in proptest::collection::vec(message(), 1..24),
        queries in proptest::collection::vec(query(), 40),
        commits in proptest::collection::vec(any::<bool>(), 24),
        dead in proptest::collection::btree_set(1_u32..24, 0..5),
        deleted in proptest::collection::btree_set(1_u32..24, 0..4),
        tagged in proptest::collection::btree_set(1_u32..24, 0..12),
    ) {
        let alice = Alice::new();
        let index = alice.open();
        for (message, number) in messages.iter_mut().zip(1..) {
            message.number = number;
        }
        for (message, commit) in messages.iter().zip(commits) {
            add(&index, std::slice::from_ref(message));
            if commit {
                index.commit().unwrap();
            }
        }
        index.delete(&deleted.iter().copied().map(MessageNumber).collect::<Vec<_>>()).unwrap();
        index.commit().unwrap();
        let tagged: Arc<RoaringBitmap> = Arc::new(tagged.into_iter().collect());
        let alive: RoaringBitmap =
            (1..=24).filter(|number| !dead.contains(number) && !deleted.contains(number)).collect();
        let sets = |leaf: &Leaf| matches!(leaf, Leaf::Tag(_)).then(|| Arc::clone(&tagged));
        for query in &queries {
            let mut expected: Vec<&Message> = messages
                .iter()
                .filter(|message| alive.contains(message.number) && matches(message, query, &tagged))
                .collect();
            expected.sort_by_key(|message| std::cmp::Reverse((message.date, message.number)));
            let expected: Vec<u32> = expected.into_iter().map(|message| message.number).collect();
            let numbers = |order| {
                let found = index.search(query, &sets, &alive, order, 0, 100).unwrap();
                assert_eq!(found.total as usize, found.numbers.len());
                found.numbers.into_iter().map(|number| number.0).collect::<Vec<_>>()
            };
            prop_assert_eq!(numbers(Order::Newest), expected.clone(), "{:?}", query);
            let mut oldest = numbers(Order::Oldest);
            oldest.reverse();
            prop_assert_eq!(oldest, expected.clone(), "{:?}", query);
            let mut relevant = numbers(Order::Relevance);
            relevant.sort_unstable();
            let all: RoaringBitmap = expected.iter().copied().collect();
            prop_assert_eq!(relevant, all.iter().collect::<Vec<_>>(), "{:?}", query);
            prop_assert_eq!(index.matching(query, &sets, &alive).unwrap(), all, "{:?}", query);
            let page = index.search(query, &sets, &alive, Order::Newest, 2, 3).unwrap();
            let page: Vec<u32> = page.numbers.into_iter().map(|number| number.0).collect();
            prop_assert_eq!(page, expected.into_iter().skip(2).take(3).collect::<Vec<_>>());
        }
    }
}
