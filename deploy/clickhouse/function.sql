-- `pickRegnoOf(request)`: what the model says of a request as JSON, by the executable function of function.xml. NULL for one that cannot be answered.

CREATE OR REPLACE FUNCTION pickRegnoOf AS (request) -> pickRegno(
    JSONExtractString(request, 'regno_recognize'),
    JSONExtractString(request, 'afts_regno_ai'),
    JSONExtract(request, 'recognition_accuracy', 'Nullable(Float64)'),
    JSONExtract(request, 'afts_regno_ai_score', 'Nullable(Float64)'),
    if(JSONType(request, 'afts_regno_ai_char_scores') = 'Array',
        JSONExtractRaw(request, 'afts_regno_ai_char_scores'), JSONExtractString(request, 'afts_regno_ai_char_scores')),
    if(JSONType(request, 'afts_regno_ai_length_scores') = 'Array',
        JSONExtractRaw(request, 'afts_regno_ai_length_scores'), JSONExtractString(request, 'afts_regno_ai_length_scores')),
    JSONExtractString(request, 'camera_type'),
    JSONExtractString(request, 'camera_class'),
    JSONExtractString(request, 'time_check'),
    JSONExtract(request, 'direction', 'Nullable(Float64)'));
