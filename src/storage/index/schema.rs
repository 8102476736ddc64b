//! The fields of the index. Nothing of a message is stored in it but what searching needs.

use super::analyser::{Analyser, Reading};
use tantivy::schema::{
    FAST, Field, IndexRecordOption, NumericOptions, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};

/// The fast field that holds the message's number.
pub(super) const NUMBER: &str = "number";
/// The fast field that holds the effective date.
pub(super) const DATE: &str = "date";

/// The fields by name.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    pub(super) number: Field,
    pub(super) date: Field,
    pub(super) size: Field,
    pub(super) body: Field,
    pub(super) subject: Field,
    /// Everything that is found without a field and is not the body: subject, people, file names.
    pub(super) meta: Field,
    pub(super) from: Field,
    pub(super) to: Field,
    pub(super) cc: Field,
    pub(super) bcc: Field,
    pub(super) filename: Field,
    pub(super) list: Field,
    pub(super) header: Field,
    pub(super) kind: Field,
}

/// The schema and its fields. Any change here wants a new version of the catalog.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let numeric = || NumericOptions::default() | FAST;
    let fields = Fields {
        number: builder.add_u64_field(NUMBER, numeric()),
        date: builder.add_i64_field(DATE, numeric()),
        size: builder.add_u64_field("size", numeric()),
        body: text(&mut builder, "body", Reading::Words, IndexRecordOption::WithFreqsAndPositions, true),
        subject: text(
            &mut builder,
            "subject",
            Reading::Words,
            IndexRecordOption::WithFreqsAndPositions,
            true,
        ),
        meta: text(&mut builder, "meta", Reading::Words, IndexRecordOption::WithFreqsAndPositions, true),
        from: text(&mut builder, "from", Reading::Person, IndexRecordOption::WithFreqsAndPositions, false),
        to: text(&mut builder, "to", Reading::Person, IndexRecordOption::WithFreqsAndPositions, false),
        cc: text(&mut builder, "cc", Reading::Person, IndexRecordOption::WithFreqsAndPositions, false),
        bcc: text(&mut builder, "bcc", Reading::Person, IndexRecordOption::WithFreqsAndPositions, false),
        filename: text(
            &mut builder,
            "filename",
            Reading::Words,
            IndexRecordOption::WithFreqsAndPositions,
            false,
        ),
        list: text(&mut builder, "list", Reading::Words, IndexRecordOption::WithFreqsAndPositions, false),
        header: text(&mut builder, "header", Reading::Headers, IndexRecordOption::Basic, false),
        kind: text(&mut builder, "kind", Reading::Whole, IndexRecordOption::Basic, false),
    };
    (builder.build(), fields)
}

fn text(
    builder: &mut SchemaBuilder,
    name: &str,
    reading: Reading,
    record: IndexRecordOption,
    counts_length: bool,
) -> Field {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(reading.name())
        .set_index_option(record)
        .set_fieldnorms(counts_length);
    builder.add_text_field(name, TextOptions::default().set_indexing_options(indexing))
}

/// The ways in which the fields above are read.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::new();
    for reading in [Reading::Words, Reading::Person, Reading::Headers, Reading::Whole] {
        manager.register(reading.name(), TextAnalyzer::from(Analyser::new(reading)));
    }
    // The library asks for this one for fields that are no text.
    manager.register("default", TextAnalyzer::from(Analyser::new(Reading::Words)));
    manager
}
