//! What of the floor is fuzzed: it stands on few crates, so that building it with the fuzzer's marks stays short.

#[path = "../../../src/mail/address.rs"]
pub mod address;
#[path = "../../../src/mail/attachment/mod.rs"]
pub mod attachment;
#[path = "../../../src/mail/compose.rs"]
pub mod compose;
#[path = "../../../src/mail/domain.rs"]
pub mod domain;
#[path = "../../../src/mail/html/mod.rs"]
pub mod html;
#[path = "../../../src/mail/message/mod.rs"]
pub mod message;
#[path = "../../../src/mail/part.rs"]
pub mod part;
#[path = "../../../src/mail/query/mod.rs"]
pub mod query;
#[path = "../../../src/mail/reply.rs"]
pub mod reply;
#[path = "../../../src/mail/text.rs"]
pub mod text;
#[path = "../../../src/mail/words/mod.rs"]
pub mod words;
