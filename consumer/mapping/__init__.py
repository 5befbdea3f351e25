"""The mapping file: from records of any Avro shape to the operations that they ask for. Pure.

read(text, ...)                       -> Mapping, or every fault of the file at once
Mapper(mapping, ...).topic(name)      -> the rules of a topic, or None where the file does not name it
TopicMap.layout(writer, ...)          -> where a schema's mapped places are; `Hold` where it does not fit
TopicMap.apply(record, layout, key)   -> parts, refusals and what is ignored, by rule
"""
