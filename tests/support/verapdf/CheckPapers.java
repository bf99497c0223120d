import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Validates each file named on the command line as PDF/A-3a; prints one line a file: name, verdict, checks, faults. */
public final class CheckPapers {
    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        PDFAFlavour flavour = PDFAFlavour.fromString("3a");
        for (String file : files) {
            try (PDFAParser parser = Foundries.defaultInstance().createParser(new FileInputStream(file), flavour)) {
                ValidationResult result = Foundries.defaultInstance().createValidator(flavour, false).validate(parser);
                StringBuilder faults = new StringBuilder();
                for (TestAssertion each : result.getTestAssertions()) {
                    if (each.getStatus() == TestAssertion.Status.FAILED) {
                        faults.append(' ').append(each.getRuleId().getClause());
                    }
                }
                String verdict = result.isCompliant() ? "conforms" : "differs";
                System.out.println(file + "\t" + verdict + "\t" + result.getTotalAssertions() + "\t" + faults);
            }
        }
    }
}
