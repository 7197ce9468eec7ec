"""Text that looks like transactional mail: seeded sentences that compress about as such mail does."""
import random

VOCABULARY = """
account address after again against agent amount answer any anything appointment arrive arrived asked available
balance bank because been before begin below between bill billing book booking both box branch button buy by call
cancel card carrier cart change charge charged check checkout choose city click close code collect colour come
company complete confirm confirmation contact copy cost could country courier credit customer damage date day days
deadline debit delay deliver delivered delivery deposit depot desk details device different digits discount dispatch
document door doubt driver due during each earlier early either email ended enquiry enter error estimate evening
every exchange expect expected expire expires extra fee few final find first floor follow following form found free
friday friend from front full further garden gate gift give goods group guarantee guest hand handle happy have help
helpful here home hope hotel hour hours house however if immediately important include included information inside
instead invoice item items journey just keep kind know label large last later leave left less letter level like
limit line link list local long look lost made mail main make manage many march mark may meet meeting member message
minute minutes missing mobile moment monday money month more morning most move name near need never new next night
no note nothing notice november now number of offer office often old on once online only open opened option order
ordered other our out outside over own owner pack package page paid paper parcel part partner party password past
pay payment people per period person phone photo pick piece place plan please plus point policy post postcode
present previous price print private problem process product profile promise protect provide public purchase put
quantity question quick rather reach read ready reason receipt receive received recent record reduce refund region
register regular remain remember reminder renew repair reply request reset reserve response result return right
room route safe sale same saturday save schedule seat second secure see select sell send sent separate service
session set several ship shipped shipment shipping shop short should show side sign since single size small soon
sorry stand standard start statement status step still stock stop store street subject such suggest sum summary
sunday supply support sure system table take tax team tell term terms thank that the their them then there these
they thing this those though thursday ticket time title to today together tomorrow tonight too total track tracking
transfer travel trip try tuesday two under unit until up update upon us use used user usual valid value van very
visit voucher wait want warehouse warranty was watch way we website wednesday week weekend welcome well were what
when where whether which while who whole why will window wish with within without work working world would write
wrong year yesterday yet you your
""".split()


class Words:
    def __init__(self):
        # Frequent words first, by Zipf: a random order would make text too hard to compress.
        order = random.Random(1)
        self.words = VOCABULARY[:]
        order.shuffle(self.words)
        self.weights = [1 / (i + 3) for i in range(len(self.words))]

    def text(self, rng, n_bytes):
        """Lines of at most 76 characters, about n_bytes in all, ASCII, LF, one LF at the end."""
        lines, line, size = [], "", 0
        while size < n_bytes:
            for word in self.sentence(rng):
                if len(line) + 1 + len(word) > 72:
                    lines.append(line)
                    size += len(line) + 1
                    line = word
                else:
                    line = f"{line} {word}".strip()
            if rng.random() < 0.15:
                lines += [line, ""]
                size += len(line) + 2
                line = ""
        return "\n".join(lines).rstrip()[:n_bytes].rstrip() + "\n"

    def sentence(self, rng):
        words = rng.choices(self.words, self.weights, k=rng.randint(5, 16))
        if rng.random() < 0.3:
            words.insert(rng.randrange(len(words)), f"{rng.randint(1, 999)}.{rng.randint(10, 99)}")
        if rng.random() < 0.1:
            words.append(f"https://shop.example/o/{rng.getrandbits(64):x}")
        words[0] = words[0].capitalize()
        words[-1] += "."
        return words
