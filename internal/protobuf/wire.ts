import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** What a message holds that its schema does not allow. */
interface WireFlaw {
  /** The field of the outermost message in which it lies, as the proto file calls it; "" where it lies in none. */
  readonly field: string;
  /** Half a sentence, as of a field error. */
  readonly message: string;
}

/**
 * The first place at which bytes are not what the schema says, in the message or in one within it: a field of another
 * wire type, a message that reaches beyond the one around it, one that is cut off.
 *
 * The decoder looks at a field's number only: a wrapped `amount` would become another amount and, by the bytes left
 * over, another id. Fields that the schema does not have are passed over, as protobuf has it.
 *
 * Messages glued together pass for one, in which the last value of each field counts: all but the last would be lost
 * without a word. So in the outermost message a single field comes once, and no field has a number that the schema
 * reserves.
 *
 * @param mostLevels of messages within messages
 */
export function wireFlaw(schema: DescMessage, bytes: Uint8Array, mostLevels: number): WireFlaw | undefined {
  let field = "";
  let twice: string | undefined;
  const seen = new Set<number>();
  try {
    checkMessage(schema, new BinaryReader(bytes), bytes.length, mostLevels, (number, found) => {
      field = found?.name ?? "";
      if (found !== undefined && !isRepeated(found) && seen.has(number)) twice ??= found.name;
      if (found === undefined && isReserved(schema, number))
        throw new Stray(`must not have the field ${number}, which is reserved`);
      seen.add(number);
    });
    return twice === undefined ? undefined : { field: twice, message: "must come once" };
  } catch (err) {
    if (err instanceof Stray) return { field, message: err.message };
    return { field, message: `must be a whole protobuf ${schema.name}` };
  }
}

/**
 * The messages in the repeated field of a message that has no other, each as its own bytes and not yet decoded.
 * @param most how many are looked for: one more than these may be given, which says that there are too many
 * @throws Error when the bytes are no message, or hold more than that field
 */
export function messagesIn(field: DescField, bytes: Uint8Array, most: number): readonly Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < bytes.length && found.length <= most) {
    const [number, wireType] = reader.tag();
    // Such as an event glued to a batch: it would be lost without a word.
    if (number !== field.number) throw new Stray(`must hold ${field.name} only`);
    if (wireType !== WireType.LengthDelimited) throw new Stray("must be messages");
    found.push(reader.bytes());
    if (reader.pos > bytes.length) throw new Stray("must not be cut off");
  }
  return found;
}

class Stray extends Error {
  override readonly name = "Stray";
}

function checkMessage(
  schema: DescMessage,
  reader: BinaryReader,
  end: number,
  levels: number,
  enter: (number: number, field: DescField | undefined) => void = () => undefined,
): void {
  if (levels === 0) throw new Stray("must not be nested that deep");
  const fields = fieldsOf(schema);
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    enter(number, field);
    if (field === undefined) reader.skip(wireType, number, levels);
    else checkField(field, wireType, reader, levels);
    if (reader.pos > end) throw new Stray("must not reach beyond the message around it");
  }
}

function checkField(field: DescField, wireType: WireType, reader: BinaryReader, levels: number): void {
  const isPacked = field.fieldKind === "list" && wireType === WireType.LengthDelimited && isPackable(field);
  if (wireType !== wireTypeOf(field) && !isPacked) throw new Stray(`must be ${inWords(field)} on the wire`);
  const within = isPacked ? undefined : messageOf(field);
  if (within === undefined) reader.skip(wireType, field.number);
  else {
    const length = reader.uint32();
    const end = reader.pos + length;
    // Otherwise a message without an end would be read to the end of the bytes.
    if (end > reader.len) throw new Stray("must not be cut off");
    if (within === "map entry") checkEntry(field, reader, end, levels);
    else checkMessage(within, reader, end, levels - 1);
  }
}

/** An entry of a map is a message of key and value. */
function checkEntry(map: DescField, reader: BinaryReader, end: number, levels: number): void {
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (map.fieldKind !== "map" || number > 2) reader.skip(wireType, number, levels);
    else if (number === 1) {
      if (wireType !== wireTypes[map.mapKey]) throw new Stray("must have keys of their type on the wire");
      reader.skip(wireType, number);
    } else {
      const expected = map.mapKind === "scalar" ? wireTypes[map.scalar] : valueWireType(map.mapKind);
      if (wireType !== expected) throw new Stray("must have values of their type on the wire");
      if (map.mapKind !== "message") reader.skip(wireType, number);
      else {
        const valueEnd = reader.uint32() + reader.pos;
        if (valueEnd > end) throw new Stray("must not reach beyond the message around it");
        checkMessage(map.message, reader, valueEnd, levels - 1);
      }
    }
    if (reader.pos > end) throw new Stray("must not reach beyond the message around it");
  }
}

const valueWireType = (kind: "message" | "enum"): WireType =>
  kind === "enum" ? WireType.Varint : WireType.LengthDelimited;

const wireTypes: Readonly<Record<ScalarType, WireType>> = {
  [ScalarType.DOUBLE]: WireType.Bit64,
  [ScalarType.FLOAT]: WireType.Bit32,
  [ScalarType.INT64]: WireType.Varint,
  [ScalarType.UINT64]: WireType.Varint,
  [ScalarType.INT32]: WireType.Varint,
  [ScalarType.FIXED64]: WireType.Bit64,
  [ScalarType.FIXED32]: WireType.Bit32,
  [ScalarType.BOOL]: WireType.Varint,
  [ScalarType.STRING]: WireType.LengthDelimited,
  [ScalarType.BYTES]: WireType.LengthDelimited,
  [ScalarType.UINT32]: WireType.Varint,
  [ScalarType.SFIXED32]: WireType.Bit32,
  [ScalarType.SFIXED64]: WireType.Bit64,
  [ScalarType.SINT32]: WireType.Varint,
  [ScalarType.SINT64]: WireType.Varint,
};

function wireTypeOf(field: DescField): WireType {
  if (field.scalar !== undefined && field.fieldKind !== "map") return wireTypes[field.scalar];
  return field.enum !== undefined && field.fieldKind !== "map" ? WireType.Varint : WireType.LengthDelimited;
}

/** Whether several values of a list may travel as one: numbers, whatever the schema prefers. */
function isPackable(field: DescField): boolean {
  return wireTypeOf(field) !== WireType.LengthDelimited;
}

function messageOf(field: DescField): DescMessage | "map entry" | undefined {
  return field.fieldKind === "map" ? "map entry" : field.message;
}

function inWords(field: DescField): string {
  if (field.fieldKind === "map") return "a map";
  if (field.message !== undefined) return `a ${field.message.name}`;
  const type = field.scalar === undefined ? "enum" : ScalarType[field.scalar].toLowerCase();
  return `${/^[aei]/.test(type) ? "an" : "a"} ${type}`;
}

const isRepeated = ({ fieldKind }: DescField): boolean => fieldKind === "list" || fieldKind === "map";

function isReserved({ proto }: DescMessage, number: number): boolean {
  return proto.reservedRange.some(({ start, end }) => number >= start && number < end);
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  let fields = known.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, field]));
    known.set(schema, fields);
  }
  return fields;
}
