-- `pickRegnoOf(request)`: what the model says of a request as JSON, by the executable function of function.xml. NULL for one that cannot be answered.

-- A field as the text that the program reads as it would read the field itself: a text without its quotes, a list or a number as it is written.
-- A number, a list or a time that is not there is one that cannot be read.
CREATE OR REPLACE FUNCTION pickRegnoField AS (request, field) -> multiIf(
    NOT JSONHas(request, field), 'missing',
    JSONType(request, field) = 'Null', NULL,
    JSONType(request, field) = 'String', JSONExtractString(request, field),
    JSONType(request, field) = 'Bool', toString(toUInt8(JSONExtractBool(request, field))),
    JSONExtractRaw(request, field));

CREATE OR REPLACE FUNCTION pickRegnoOf AS (request) -> pickRegno(
    pickRegnoField(request, 'regno_recognize'),
    pickRegnoField(request, 'afts_regno_ai'),
    pickRegnoField(request, 'recognition_accuracy'),
    pickRegnoField(request, 'afts_regno_ai_score'),
    pickRegnoField(request, 'afts_regno_ai_char_scores'),
    pickRegnoField(request, 'afts_regno_ai_length_scores'),
    pickRegnoField(request, 'camera_type'),
    pickRegnoField(request, 'camera_class'),
    -- Any text is a plate or a camera, so that their absence has to be told at another place.
    if(JSONHas(request, 'regno_recognize') AND JSONHas(request, 'afts_regno_ai') AND JSONHas(request, 'camera_type') AND
        JSONHas(request, 'camera_class'), pickRegnoField(request, 'time_check'), 'missing'),
    pickRegnoField(request, 'direction'));
