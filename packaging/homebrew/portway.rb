class Portway < Formula
  desc "@SUMMARY@"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

@PLATFORMS@
  def install
    @INSTALL@
  end

  test do
    assert_equal "portway #{version}\n", shell_output("#{bin}/portway --version")
  end
end
