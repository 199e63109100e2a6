//! What a judgement is called in a sentence.
