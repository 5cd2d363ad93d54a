-- The same text is not paid for twice: answers are found by what was asked, under any code, and outlive their product.
-- Programs that know nothing of these columns ask as before.
-- Serves programs from schema 1 on.

ALTER TABLE answers
    -- Hash of what the model was shown but the code, and of who was asked. NULL: answers for nobody else.
    ADD COLUMN content_key text,
    -- Given earlier, to the same text, and not paid for here.
    ADD COLUMN reused boolean NOT NULL DEFAULT false;
CREATE INDEX answers_by_content ON answers (content_key) WHERE content_key IS NOT NULL;
CREATE INDEX answers_reused ON answers (product_id) WHERE reused;

-- Answers of products that were deleted. Neither code, name nor description: only what the model said.
CREATE TABLE earlier_answers (
    content_key   text NOT NULL,
    step          text NOT NULL,
    step_version  text NOT NULL,
    simulated     boolean NOT NULL,
    provider      text NOT NULL,
    model         text NOT NULL,
    call_id       bigint NOT NULL,
    answer        jsonb NOT NULL,
    answered_at   timestamptz NOT NULL,
    kept_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (content_key, step, step_version)
);
CREATE INDEX earlier_answers_kept_at ON earlier_answers (kept_at);

-- What a person has corrected is known to be wrong; what was answered without the picture is second best.
CREATE FUNCTION keep_answers_of_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO earlier_answers
        (content_key, step, step_version, simulated, provider, model, call_id, answer, answered_at)
    SELECT content_key, step, step_version, simulated, provider, model, call_id, answer, answered_at
    FROM answers WHERE product_id = OLD.id AND content_key IS NOT NULL AND without_picture IS NULL
      AND NOT EXISTS (SELECT FROM corrections c WHERE c.product_id = OLD.id AND c.withdrawn_at IS NULL)
    ON CONFLICT DO NOTHING;
    RETURN OLD;
END $$;
CREATE TRIGGER keep_answers_of_deleted BEFORE DELETE ON products
    FOR EACH ROW EXECUTE FUNCTION keep_answers_of_deleted();
