//! Stories of messages, whole and broken.

use super::*;
